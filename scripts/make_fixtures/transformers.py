"""Makes transformers/cases.zip: BERT and its relatives, as their definitions build and TensorFlow runs them.

A case is a folder in the archive:

    case.json           the network; the options that no variable shows; the file beside the checkpoint; the names of inputs and
                        outputs; variables, as [name, shape] in the order of the definition
    graph.pb            the graph of the outputs, without weights
    i0.npy, i1.npy, …   the inputs
    o0.npy, o1.npy, …   the results for variables that fill.py computes

`source` is a folder with checkouts of the definitions:

    bert/       github.com/google-research/bert at eedf571
    albert/     github.com/google-research/albert at b772393
    electra/    github.com/google-research/electra at 8a46635
    mobilebert/ the folder of this name in github.com/google-research/google-research at c3de5da
"""

import ast
import importlib.util
import json
import sys
import types

import fill
import numpy as np

from . import cases
from .tensorflow1 import slim, tf

# The definitions read lengths as `shape[-1].value`.
tf.disable_v2_tensorshape()

SEQUENCES, LENGTH = 2, 12
# The result of a deep network without batch norms differs more between processors.
TOLERANCE = 1e-5

SMALL = {
    "vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 40, "type_vocab_size": 2,
}
SMALL_ALBERT = SMALL | {"embedding_size": 16, "num_hidden_layers": 3, "num_hidden_groups": 1, "inner_group_num": 1}
SMALL_MOBILEBERT = SMALL | {
    "embedding_size": 16, "hidden_size": 64, "trigram_input": True, "use_bottleneck": True, "intra_bottleneck_size": 32,
    "use_bottleneck_attention": False, "key_query_shared_bottleneck": True, "num_feedforward_networks": 4, "normalization_type": "no_norm",
    "classifier_activation": False, "hidden_act": "relu",
}
TEACHER = SMALL_MOBILEBERT | {
    "num_feedforward_networks": 1, "key_query_shared_bottleneck": False, "normalization_type": "layer_norm", "classifier_activation": True,
    "hidden_act": "gelu",
}


def contrib():
    """What the definitions use of tf.contrib, which is in TF-Slim today."""
    module = types.ModuleType("tensorflow.contrib")
    module.layers = types.ModuleType("tensorflow.contrib.layers")
    module.layers.layer_norm = slim.layers.layer_norm
    sys.modules.update({"tensorflow.contrib": module, "tensorflow.contrib.layers": module.layers})
    tf.contrib = module


def definition(path):
    """A file of a definition as a module; in it, `tensorflow` is the API of TensorFlow 1."""
    contrib()
    spec = importlib.util.spec_from_file_location("definition", path)
    module = importlib.util.module_from_spec(spec)
    tensorflow, sys.modules["tensorflow"] = sys.modules["tensorflow"], tf
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules["tensorflow"] = tensorflow
    return module


def functions(path, modeling):
    """The functions of a script, without what the script imports."""
    tree = ast.parse("from __future__ import annotations\n" + path.read_text())
    tree.body = [tree.body[0], *(node for node in tree.body if isinstance(node, ast.FunctionDef))]
    names = {"tf": tf, "modeling": modeling}
    exec(compile(tree, path, "exec"), names)
    return types.SimpleNamespace(**names)


def numbers(name, shape, count):
    """Whole numbers below `count`."""
    return np.floor(fill.uniform(name, shape) * count).astype(np.int32)


def tokens(config, length=None):
    """The inputs, and a batch of sequences of which the second is shorter."""
    inputs = [tf.placeholder(tf.int32, [None, length], name) for name in ("input_ids", "input_mask", "segment_ids")]
    lengths = LENGTH - 3 * np.arange(SEQUENCES)
    feeds = [
        numbers("input_ids", [SEQUENCES, LENGTH], config["vocab_size"]),
        (np.arange(LENGTH) < lengths[:, None]).astype(np.int32),
        numbers("segment_ids", [SEQUENCES, LENGTH], config["type_vocab_size"]),
    ]
    return inputs, feeds


def vectors(model):
    return {"pooled_output": model.get_pooled_output(), "sequence_output": model.get_sequence_output()}


def bert(source, config=SMALL, length=None, gelu=None):
    modeling = definition(source / "bert/modeling.py")
    modeling.gelu = gelu or modeling.gelu
    inputs, feeds = tokens(config, length)
    return modeling, inputs, feeds, modeling.BertModel(modeling.BertConfig.from_dict(config), False, *inputs)


def bert_alone(source, **arguments):
    _, inputs, feeds, model = bert(source, **arguments)
    return inputs, feeds, vectors(model)


def erf_gelu(x):
    """gelu in the first versions of modeling.py."""
    return x * (0.5 * (1.0 + tf.erf(x / tf.sqrt(2.0))))


def pretraining(source):
    modeling, inputs, feeds, model = bert(source)
    script = functions(source / "bert/run_pretraining.py", modeling)
    config = modeling.BertConfig.from_dict(SMALL)
    positions = tf.placeholder(tf.int32, [None, None], "masked_lm_positions")
    labels = tf.zeros([SEQUENCES, 5], tf.int32)
    _, _, tokens_found = script.get_masked_lm_output(
        config, model.get_sequence_output(), model.get_embedding_table(), positions, labels, tf.cast(labels, tf.float32))
    _, _, order_found = script.get_next_sentence_output(config, model.get_pooled_output(), labels[:, 0])
    outputs = vectors(model) | {"masked_lm_log_probs": tokens_found, "next_sentence_log_probs": order_found}
    return [*inputs, positions], [*feeds, numbers("positions", [SEQUENCES, 5], LENGTH - 3)], outputs


def head(script, names, *arguments):
    """BERT with what `create_model` of a script builds on it."""
    def build(source):
        modeling = definition(source / "bert/modeling.py")
        inputs, feeds = tokens(SMALL)
        config = modeling.BertConfig.from_dict(SMALL)
        found = functions(source / "bert" / script, modeling).create_model(config, False, *inputs, *arguments_of(arguments), False)
        return inputs, feeds, dict(zip(names, found[-len(names):]))

    def arguments_of(given):
        return [argument() if callable(argument) else argument for argument in given]

    return build


def albert(source, config=SMALL_ALBERT, length=None):
    modeling = definition(source / "albert/modeling.py")
    inputs, feeds = tokens(config, length)
    return inputs, feeds, vectors(modeling.AlbertModel(modeling.AlbertConfig.from_dict(config), False, *inputs))


def mobilebert(source, config=SMALL_MOBILEBERT, length=None):
    modeling = definition(source / "mobilebert/modeling.py")
    inputs, feeds = tokens(config, length)
    return inputs, feeds, vectors(modeling.BertModel(modeling.BertConfig.from_dict(config), False, *inputs))


def electra_model(source, config, embedding_size, inputs=None, **arguments):
    modeling = definition(source / "electra/model/modeling.py")
    inputs, feeds = inputs or tokens(config)
    model = modeling.BertModel(
        modeling.BertConfig.from_dict(config), False, *inputs, use_one_hot_embeddings=False, embedding_size=embedding_size, **arguments)
    return modeling, inputs, feeds, model


def discriminator(source, config=SMALL, generator=None):
    """What PretrainingModel of run_pretraining.py builds. The discriminator reads the tokens of the inputs."""
    modeling, inputs, feeds, model = electra_model(source, config, 16)
    with tf.variable_scope("discriminator_predictions"):
        hidden = tf.layers.dense(model.get_sequence_output(), config["hidden_size"], modeling.get_activation(config["hidden_act"]))
        probabilities = tf.nn.sigmoid(tf.squeeze(tf.layers.dense(hidden, 1), -1))
    outputs = {"sequence_output": model.get_sequence_output(), "discriminator_probs": probabilities}
    if generator:
        modeling, _, _, model = electra_model(source, generator, 16, (inputs, feeds), scope="generator")
        script = functions(source / "electra/run_pretraining.py", modeling)
        with tf.variable_scope("generator_predictions"):
            outputs["generator_logits"] = script.get_token_logits(
                model.get_sequence_output(), model.get_embedding_table(), modeling.BertConfig.from_dict(generator))
    return inputs, feeds, outputs


def classification(source):
    """What ClassificationTask of finetune/classification builds."""
    _, inputs, feeds, model = electra_model(source, SMALL, SMALL["hidden_size"])
    with tf.variable_scope("task_specific/mnli"):
        return inputs, feeds, {"mnli_logits": tf.layers.dense(model.get_pooled_output(), 3)}


def of(network, build, file="bert_config.json", config=None, options=(), **arguments):
    """A case: the network, its builder, and what the user gives beside the checkpoint."""
    return network, build, {file: config} if config else {}, list(options), arguments


HEADS_OF_64 = SMALL | {"hidden_size": 128, "num_attention_heads": 2}
RELU = SMALL | {"hidden_act": "relu", "num_hidden_layers": 3, "num_attention_heads": 2, "type_vocab_size": 16}
GROUPS = SMALL_ALBERT | {"num_hidden_groups": 2, "inner_group_num": 2, "embedding_size": 32, "num_hidden_layers": 4}
CASES = {
    "bert": of("bert", bert_alone, config=SMALL),
    "bert_fixed": of("bert", bert_alone, config=SMALL, options=["max_seq_length=12"], length=LENGTH),
    "bert_relu": of("bert", lambda source: bert_alone(source, config=RELU), config=RELU),
    "bert_erf": of("bert", bert_alone, options=["num_attention_heads=4", "gelu=erf"], gelu=erf_gelu),
    "bert_heads_of_64": of("bert", lambda source: bert_alone(source, config=HEADS_OF_64)),
    "bert_pretraining": of("bert", pretraining, config=SMALL, options=["masked_lm_positions=true"]),
    "bert_classifier": of(
        "bert", head("run_classifier.py", ["logits", "probabilities"], lambda: tf.zeros([SEQUENCES], tf.int32), 3), config=SMALL),
    "bert_squad": of("bert", head("run_squad.py", ["start_logits", "end_logits"]), config=SMALL),
    "albert": of("albert", albert, "albert_config.json", SMALL_ALBERT),
    "albert_fixed": of("albert", albert, "albert_config.json", SMALL_ALBERT, ["max_seq_length=12"], length=LENGTH),
    "albert_groups": of("albert", lambda source: albert(source, config=GROUPS), "albert_config.json", GROUPS),
    "electra": of("electra", discriminator, config=SMALL),
    "electra_generator": of("electra", lambda source: discriminator(
        source, HEADS_OF_64, HEADS_OF_64 | {"hidden_size": 64, "num_attention_heads": 1, "intermediate_size": 256})),
    "electra_classifier": of("electra", classification, config=SMALL),
    "mobilebert": of("mobilebert", mobilebert, config=SMALL_MOBILEBERT),
    "mobilebert_fixed": of("mobilebert", mobilebert, config=SMALL_MOBILEBERT, options=["max_seq_length=12"], length=LENGTH),
    "mobilebert_teacher": of("mobilebert", lambda source: mobilebert(source, config=TEACHER), config=TEACHER),
}


def files_of(build, facts):
    """The files of a case: `facts` about it, and what `build` builds and TensorFlow computes. `gain` scales the variables of a scope."""
    scope, gain = facts.get("gain", ["", 1.0])
    with tf.Graph().as_default() as graph, tf.Session() as session:
        inputs, feeds, outputs = build()
        variables = tf.global_variables()
        for variable in variables:
            factor = gain if variable.op.name.startswith(scope) else 1.0
            variable.load(fill.variable(variable.op.name, variable.shape.as_list(), factor), session)
        results = session.run(list(outputs.values()), dict(zip(inputs, feeds)))
        graph = tf.graph_util.extract_sub_graph(graph.as_graph_def(), [tensor.op.name for tensor in outputs.values()])
    case = {
        **facts, "inputs": [tensor.op.name for tensor in inputs],
        "outputs": [[key, tensor.name] for key, tensor in outputs.items()],
        "variables": [[variable.op.name, variable.shape.as_list()] for variable in variables],
    }
    arrays = {f"{kind}{index}.npy": value for kind, values in (("i", feeds), ("o", results)) for index, value in enumerate(values)}
    if inputs[0].op.name == "input":
        # Images, which fill.py computes.
        del arrays["i0.npy"]
    return {
        "case.json": json.dumps(case, separators=(",", ":")).encode(),
        "graph.pb": graph.SerializeToString(deterministic=True),
        **{name: cases.array_bytes(value) for name, value in arrays.items()},
    }


def make_case(name, source):
    network, build, files, options, arguments = CASES[name]
    return files_of(lambda: build(source, **arguments), {"network": network, "options": options, "files": files})


def make(folder, source):
    cases.write(folder / "transformers/cases.zip", [(name, make_case(name, source)) for name in CASES])
