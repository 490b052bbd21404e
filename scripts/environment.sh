#!/usr/bin/env bash
# Makes a Python environment that runs real TensorFlow, TF-Slim, tf2onnx and ONNX Runtime, for the scripts that compare.
#
# usage: scripts/environment.sh [DIR]        DIR: target/parity-env by default
#
# Needs Python 3.9, 3.10 or 3.11, which TensorFlow 2.15 was built for; PYTHON names another interpreter than
# the first of these on the path. Everything comes from PyPI, about 2 GB on disk. Run again, it completes
# what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${1:-target/parity-env}

supported='import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))'
find_python() {
    for python in ${PYTHON:-python3 python3.11 python3.10 python3.9}; do
        if "$python" -c "$supported" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "environment.sh: no Python 3.9 to 3.11 with venv; install one (Debian: apt-get install python3.11-venv)," \
        "or name it with PYTHON=" >&2
    return 1
}

if ! [ -x "$dir/bin/pip" ]; then
    python=$(find_python)
    "$python" -m venv "$dir"
fi
# tf_keras: TF-Slim calls the layers of tf.compat.v1, which moved there.
"$dir/bin/pip" install --quiet --disable-pip-version-check \
    "tensorflow-cpu==2.15.1" "tf_keras==2.15.1" "tf-slim==1.1.0" "tf2onnx==1.16.1" \
    "onnx==1.16.2" "onnxruntime>=1.18" "safetensors>=0.4" "numpy<2"

# tf.compat.v1 looks for those layers as tf_keras.legacy_tf_layers; in tf_keras 2.15 they are below
# tf_keras.src. A .pth file runs at every start of the interpreter and makes the one name stand for the other.
site=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
cat > "$site/legacy_tf_layers_alias.py" <<'PY'
import importlib
import importlib.abc
import importlib.util
import sys


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.startswith("tf_keras.legacy_tf_layers"):
            return importlib.util.spec_from_loader(name, self)

    def create_module(self, spec):
        return importlib.import_module(spec.name.replace("tf_keras.", "tf_keras.src.", 1))

    def exec_module(self, module):
        pass


sys.meta_path.append(Alias())
PY
echo "import legacy_tf_layers_alias" > "$site/legacy_tf_layers_alias.pth"

# The file says that the environment is complete. parity.py looks for it.
"$dir/bin/python" -c "
import tensorflow, tf_slim, onnx, onnxruntime
print('TensorFlow', tensorflow.__version__ + ', ONNX Runtime', onnxruntime.__version__)" 2>/dev/null > "$dir/ready"
echo "$dir is ready: $(cat "$dir/ready")"
