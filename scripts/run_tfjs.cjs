// Runs a graph model of TensorFlow.js on its CPU backend.
//
// usage: node scripts/run_tfjs.cjs MODEL.json FOLDER [TENSOR ...]
//
// FOLDER has inputs.json, a list of {name, shape, dtype, file}, and the files with the elements. The results are written to
// outputs.json and files in the same form. @tensorflow/tfjs is found from the working directory.

const fs = require("fs");
const path = require("path");
const tf = require(require.resolve("@tensorflow/tfjs", { paths: [process.cwd()] }));

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

function bytes(file) {
    const buffer = fs.readFileSync(file);
    return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length);
}

async function main([file, folder, ...tensors]) {
    const json = JSON.parse(fs.readFileSync(file));
    const shards = json.weightsManifest.flatMap((group) => group.paths);
    const weights = shards.map((name) => fs.readFileSync(path.join(path.dirname(file), name)));
    const all = Buffer.concat(weights);
    const model = await tf.loadGraphModel({
        load: async () => ({
            ...json,
            weightSpecs: json.weightsManifest.flatMap((group) => group.weights),
            weightData: all.buffer.slice(all.byteOffset, all.byteOffset + all.length),
        }),
    });
    const feeds = {};
    for (const { name, shape, dtype, file } of JSON.parse(fs.readFileSync(path.join(folder, "inputs.json")))) {
        const input = path.join(folder, file);
        const values = dtype === "string" ? JSON.parse(fs.readFileSync(input)) : new ARRAYS[dtype](bytes(input));
        feeds[name] = tf.tensor(values, shape, dtype);
    }
    const names = tensors.length ? tensors : model.outputNodes;
    const results = [await model.executeAsync(feeds, names)].flat();
    const outputs = results.map((result, index) => {
        // Some kernels return integers as float32 without converting them.
        const values = ARRAYS[result.dtype].from(result.dataSync());
        const file = `output${index}.bin`;
        fs.writeFileSync(path.join(folder, file), Buffer.from(values.buffer, values.byteOffset, values.byteLength));
        return { name: names[index], shape: result.shape, dtype: result.dtype, file };
    });
    fs.writeFileSync(path.join(folder, "outputs.json"), JSON.stringify(outputs));
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
