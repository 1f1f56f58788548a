"""Small files that Keras and tf2onnx write, with what Keras gives for a fixed input. Run where both are installed:

python -m tests.onnx_import.make_keras_files

They were made with keras 3 (TensorFlow as its backend; torch for the nets of which there is no ONNX file) and
tf2onnx; the versions stand in files/versions.txt.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

PLACE = Path(__file__).parent / "files"


def nets(keras: Any) -> dict[str, Any]:
    """Nets as Keras' users write them, channels last."""
    layers = keras.layers

    def residual() -> Any:
        x = given = keras.Input((8, 8, 3))
        a = layers.Conv2D(4, 3, padding="same", use_bias=False, name="stem")(x)
        a = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(a))
        b = layers.Conv2D(4, 3, padding="same", name="conv")(a)
        c = layers.ReLU()(layers.Add()([a, b]))
        d = layers.Concatenate()([c, layers.Conv2D(2, 1, activation="tanh", name="side")(c)])
        d = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(d))
        return keras.Model(given, layers.Dense(3, activation="softmax", name="head")(d))

    def decoder() -> Any:
        return keras.Sequential([
            keras.Input((5,)), layers.Dense(4 * 4 * 3, name="dense"), layers.LeakyReLU(negative_slope=0.1),
            layers.Reshape((4, 4, 3)), layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="up"),
            layers.UpSampling2D(), layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="out"),
        ])  # fmt: skip

    def mobile() -> Any:
        return keras.Sequential([
            keras.Input((12, 12, 3)), layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=2, padding="same", name="c1"),
            layers.BatchNormalization(name="bn1"), layers.ReLU(6.0), layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="dw"), layers.PReLU(shared_axes=[1, 2], name="prelu"),
            layers.SeparableConv2D(6, 3, name="sep"), layers.AveragePooling2D(2), layers.Flatten(),
            layers.Dense(4, activation="elu", name="fc"), layers.Dropout(0.2), layers.Dense(2, name="out"),
        ])  # fmt: skip

    return {
        "lenet": keras.Sequential([
            keras.Input((12, 12, 1)), layers.Conv2D(3, 3, activation="relu", name="conv1"), layers.MaxPooling2D(2),
            layers.Conv2D(4, 3, activation="relu", name="conv2"), layers.Flatten(),
            layers.Dense(6, activation="relu", name="fc1"), layers.Dense(4, name="fc2"),
        ]),
        "residual": residual(),
        "decoder": decoder(),
        "mobile": mobile(),
        "mlp": keras.Sequential([
            keras.Input((6,)), layers.Dense(5, name="a"), layers.BatchNormalization(name="bn"),
            layers.Activation("selu"), layers.LayerNormalization(name="ln"), layers.Dense(2, name="b"),
            layers.Activation("swish"),
        ]),
    }  # fmt: skip


def recurrent(keras: Any) -> Any:
    """One of each recurrent layer."""
    layers = keras.layers
    return keras.Sequential([
        keras.Input((5, 4)), layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both"),
        layers.LSTM(4, return_sequences=True, name="lstm"), layers.SimpleRNN(3, name="last"),
        layers.Dense(2, name="fc"),
    ])  # fmt: skip


def flat(keras: Any) -> Any:
    """Layers with a weight for each number of a picture, whole, flattened and before it is one."""
    layers = keras.layers
    return keras.Sequential([
        keras.Input((6, 5, 2)), layers.Conv2D(3, 3, name="conv"), layers.LayerNormalization(axis=[1, 2, 3], name="ln"),
        layers.Flatten(), layers.BatchNormalization(name="bn1"), layers.PReLU(name="prelu"),
        layers.LayerNormalization(name="flat_ln"), layers.Dense(12, name="fc"), layers.BatchNormalization(name="bn2"),
        layers.ReLU(), layers.Reshape((2, 2, 3)), layers.Conv2DTranspose(2, 2, name="up"), layers.Flatten(),
        layers.Dense(3, name="out"),
    ])  # fmt: skip


def settle(net: Any) -> None:
    """Weights and statistics that are nothing special."""
    random = np.random.default_rng(0)
    for variable in net.weights:
        if "seed" in variable.name:
            continue
        shape = tuple(variable.shape)
        low, high = (0.5, 1.5) if "variance" in variable.name or "gamma" in variable.name else (-0.4, 0.4)
        variable.assign(random.uniform(low, high, shape).astype(np.float32))


def store(name: str, net: Any) -> None:
    """An input of a net, and what Keras gives for it."""
    settle(net)
    x = np.random.default_rng(1).uniform(-1, 1, (2, *net.inputs[0].shape[1:])).astype(np.float32)
    y = net(x, training=False)
    np.savez_compressed(PLACE / f"{name}.npz", x=x, y=np.asarray(y.detach() if hasattr(y, "detach") else y))


def store_weights(keras: Any) -> None:
    """The nets of which there is no ONNX file."""
    for name, net in (("recurrent", recurrent(keras)), ("flat", flat(keras))):
        store(name, net)
        net.save_weights(PLACE / f"{name}.weights.h5")


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf
    import tf2onnx

    PLACE.mkdir(exist_ok=True)
    for name, net in nets(keras).items():
        store(name, net)
        shape = net.inputs[0].shape[1:]
        if name in ("lenet", "mobile"):
            net.save(PLACE / f"{name}.keras")
        if name in ("mlp", "residual"):
            net.save_weights(PLACE / f"{name}.weights.h5")
        function = tf.function(
            lambda x, net=net: net(x, training=False), input_signature=[tf.TensorSpec((None, *shape))]
        )
        for opset in (13, 18) if name == "lenet" else (15,):
            path = PLACE / f"{name}.tf2onnx{opset}.onnx"
            tf2onnx.convert.from_function(function, function.input_signature, opset=opset, output_path=str(path))
    store_weights(keras)
    said = [f"{m.__name__} {m.__version__}" for m in (keras, tf, tf2onnx)]
    (PLACE / "versions.txt").write_text("\n".join(said) + "\n")


if __name__ == "__main__":
    main()
