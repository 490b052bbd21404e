"""Makes infer_outputs/: training graphs of TensorFlow 1, whose outputs have to be inferred.

Each function of BUILDERS builds one, as tutorials and public repositories do. The file NAME.pb.gz has the GraphDef, without weights.
src/convert/infer_outputs/tests.rs has the expected outputs.
"""

import gzip

from .tensorflow1 import tf

tf.disable_v2_behavior()


def variable(shape, name=None):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1), name=name)


def dense(x, units, name=None):
    w = variable([x.shape[-1], units])
    b = tf.Variable(tf.zeros([units]))
    return tf.add(tf.matmul(x, w), b, name=name)


def summaries(var):
    with tf.name_scope("summaries"):
        mean = tf.reduce_mean(var)
        tf.summary.scalar("mean", mean)
        tf.summary.scalar("stddev", tf.sqrt(tf.reduce_mean(tf.square(var - mean))))
        tf.summary.scalar("max", tf.reduce_max(var))
        tf.summary.histogram("histogram", var)


def mnist_softmax():
    """The first tutorial of TensorFlow 0.x."""
    x = tf.placeholder(tf.float32, [None, 20])
    y = tf.nn.softmax(tf.matmul(x, tf.Variable(tf.zeros([20, 10]))) + tf.Variable(tf.zeros([10])))
    y_ = tf.placeholder(tf.float32, [None, 10])
    cross_entropy = tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(y), reduction_indices=[1]))
    tf.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)
    correct_prediction = tf.equal(tf.argmax(y, 1), tf.argmax(y_, 1))
    tf.reduce_mean(tf.cast(correct_prediction, tf.float32))
    tf.train.Saver()


def mnist_with_summaries():
    """Scopes for everything, dropout by a placeholder, summaries of activations, everything of training in its scope."""
    with tf.name_scope("input"):
        x = tf.placeholder(tf.float32, [None, 20], name="x-input")
        y_ = tf.placeholder(tf.int64, None, name="y-input")
    with tf.name_scope("layer1"):
        preactivate = dense(x, 16)
        tf.summary.histogram("pre_activations", preactivate)
        hidden = tf.nn.relu(preactivate, name="activation")
        summaries(hidden)
    with tf.name_scope("dropout"):
        keep_prob = tf.placeholder(tf.float32)
        dropped = tf.nn.dropout(hidden, keep_prob)
    with tf.name_scope("layer2"):
        y = dense(dropped, 10, name="activation")
        summaries(y)
    with tf.name_scope("cross_entropy"):
        cross_entropy = tf.losses.sparse_softmax_cross_entropy(labels=y_, logits=y)
    tf.summary.scalar("cross_entropy", cross_entropy)
    with tf.name_scope("train"):
        tf.train.AdamOptimizer(0.1).minimize(cross_entropy)
        tf.train.Saver()
    with tf.name_scope("accuracy"):
        correct = tf.equal(tf.argmax(y, 1), y_)
        tf.summary.scalar("accuracy", tf.reduce_mean(tf.cast(correct, tf.float32)))
    tf.summary.merge_all()


def embedding_classifier():
    """Vectors of integers that are not labels, and labels about which nothing is known."""
    ids = tf.placeholder(tf.int32, [None], name="ids")
    labels = tf.placeholder(tf.int32, None, name="y")
    table = tf.get_variable("table", [50, 8])
    logits = dense(tf.nn.relu(dense(tf.nn.embedding_lookup(table, ids), 8)), 3, name="logits")
    tf.nn.softmax(logits, name="probabilities")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, labels, 1), tf.float32), name="accuracy")


def retrain():
    """retrain.py: features that may be fed, evaluation and summaries."""
    image = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
    features = tf.layers.conv2d(image, 16, 3, activation=tf.nn.relu)
    features = tf.reduce_mean(features, [1, 2])
    with tf.name_scope("input"):
        bottleneck = tf.placeholder_with_default(features, [None, 16], name="BottleneckInputPlaceholder")
        truth = tf.placeholder(tf.int64, [None], name="GroundTruthInput")
    with tf.name_scope("final_retrain_ops"):
        with tf.name_scope("weights"):
            w = variable([16, 5], "final_weights")
            summaries(w)
        with tf.name_scope("biases"):
            b = tf.Variable(tf.zeros([5]), name="final_biases")
        with tf.name_scope("Wx_plus_b"):
            logits = tf.matmul(bottleneck, w) + b
            tf.summary.histogram("pre_activations", logits)
    final = tf.nn.softmax(logits, name="final_result")
    tf.summary.histogram("activations", final)
    with tf.name_scope("cross_entropy"):
        loss = tf.losses.sparse_softmax_cross_entropy(labels=truth, logits=logits)
    with tf.name_scope("train"):
        tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.name_scope("accuracy"):
        prediction = tf.argmax(final, 1)
        with tf.name_scope("accuracy"):
            tf.reduce_mean(tf.cast(tf.equal(prediction, truth), tf.float32))


def a2c():
    """A policy and a value head; actions, advantages and returns are fed for training."""
    observation = tf.placeholder(tf.float32, [None, 4], name="obs")
    actions = tf.placeholder(tf.int32, [None], name="actions")
    advantages = tf.placeholder(tf.float32, [None], name="advantages")
    returns = tf.placeholder(tf.float32, [None], name="returns")
    rate = tf.placeholder(tf.float32, [], name="rate")
    with tf.variable_scope("model"):
        hidden = tf.layers.dense(observation, 16, tf.nn.tanh)
        pi = tf.layers.dense(hidden, 3, name="pi")
        value = tf.layers.dense(hidden, 1, name="vf")[:, 0]
    noise = tf.random_uniform(tf.shape(pi))
    tf.argmax(pi - tf.log(-tf.log(noise)), 1)
    neglogpac = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=pi, labels=actions)
    policy_loss = tf.reduce_mean(advantages * neglogpac)
    a0 = pi - tf.reduce_max(pi, 1, keepdims=True)
    p0 = tf.exp(a0) / tf.reduce_sum(tf.exp(a0), 1, keepdims=True)
    entropy = tf.reduce_mean(tf.reduce_sum(p0 * (tf.log(tf.reduce_sum(tf.exp(a0), 1, keepdims=True)) - a0), 1))
    value_loss = tf.reduce_mean(tf.square(value - returns))
    loss = policy_loss - 0.01 * entropy + 0.5 * value_loss
    params = tf.trainable_variables()
    grads, _ = tf.clip_by_global_norm(tf.gradients(loss, params), 0.5)
    tf.train.RMSPropOptimizer(rate).apply_gradients(list(zip(grads, params)))


def keras():
    """A compiled model of Keras, with its targets and sample weights."""
    with tf.Session():
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 1)),
                tf.keras.layers.Flatten(),
                tf.keras.layers.Dropout(0.5),
                tf.keras.layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        model._make_train_function()
        model._make_test_function()


def estimator():
    """What an Estimator trains: features of a dictionary, labels in front of them, streaming metrics."""
    data = tf.data.Dataset.from_tensor_slices(({"image": tf.zeros([4, 8, 8, 1]), "id": tf.zeros([4], tf.string)}, tf.zeros([4], tf.int32)))
    features, labels = tf.data.make_one_shot_iterator(data.batch(2)).get_next()
    net = tf.layers.flatten(tf.layers.conv2d(features["image"], 4, 3, activation=tf.nn.relu))
    logits = tf.layers.dense(net, 3)
    with tf.name_scope("head"), tf.name_scope("predictions"):
        tf.nn.softmax(logits, name="probabilities")
        ids = tf.expand_dims(tf.argmax(logits, -1), -1, name="class_ids")
        tf.as_string(ids, name="str_classes")
    step = tf.train.get_or_create_global_step()
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits) + tf.losses.get_regularization_loss()
    tf.train.AdagradOptimizer(0.1).minimize(loss, step)
    tf.metrics.accuracy(labels, tf.argmax(logits, -1))
    tf.metrics.precision_at_k(tf.cast(labels, tf.int64), logits, 1)
    tf.train.Saver()


def autoencoder():
    """A loss without labels."""
    x = tf.placeholder(tf.float32, [None, 12], name="x")
    code = tf.nn.sigmoid(dense(x, 4), name="code")
    decoded = tf.nn.sigmoid(dense(code, 12), name="decoded")
    cost = tf.reduce_mean(tf.pow(x - decoded, 2))
    tf.train.RMSPropOptimizer(0.1).minimize(cost)


def triplet():
    """Embeddings of unit length, and a loss between them."""
    image = tf.placeholder(tf.float32, [None, 8, 8, 3], name="image_batch")
    net = tf.layers.flatten(tf.layers.conv2d(image, 4, 3, activation=tf.nn.relu))
    embeddings = tf.nn.l2_normalize(tf.layers.dense(net, 6), 1, name="embeddings")
    anchor, positive, negative = tf.unstack(tf.reshape(embeddings, [-1, 3, 6]), 3, 1)
    pos = tf.reduce_sum(tf.square(tf.subtract(anchor, positive)), 1)
    neg = tf.reduce_sum(tf.square(tf.subtract(anchor, negative)), 1)
    loss = tf.reduce_mean(tf.maximum(tf.add(tf.subtract(pos, neg), 0.2), 0.0))
    tf.train.AdagradOptimizer(0.1).minimize(loss)


def regression():
    """The smallest of all: a line."""
    x = tf.placeholder("float", name="X")
    y = tf.placeholder("float", name="Y")
    pred = tf.add(tf.multiply(x, tf.Variable(0.1, name="weight")), tf.Variable(0.2, name="bias"))
    cost = tf.reduce_sum(tf.pow(pred - y, 2)) / 20
    tf.train.GradientDescentOptimizer(0.1).minimize(cost)


def word2vec():
    """Weights are applied to the labels too."""
    inputs = tf.placeholder(tf.int32, [16], name="inputs")
    labels = tf.placeholder(tf.int32, [16, 1], name="labels")
    embed = tf.nn.embedding_lookup(variable([50, 8]), inputs, name="embed")
    loss = tf.reduce_mean(tf.nn.nce_loss(variable([50, 8]), tf.Variable(tf.zeros([50])), labels, embed, 4, 50))
    tf.train.GradientDescentOptimizer(1.0).minimize(loss)


def text_cnn():
    """Scores, and predictions that the program fetches and a metric reads."""
    x = tf.placeholder(tf.int32, [None, 12], name="input_x")
    y = tf.placeholder(tf.float32, [None, 2], name="input_y")
    keep = tf.placeholder(tf.float32, name="dropout_keep_prob")
    with tf.name_scope("embedding"):
        words = tf.expand_dims(tf.nn.embedding_lookup(variable([50, 8], "W"), x), -1)
    with tf.name_scope("conv-maxpool-3"):
        conv = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(words, variable([3, 8, 1, 4]), [1, 1, 1, 1], "VALID"), tf.Variable(tf.zeros([4]))))
        pooled = tf.nn.max_pool(conv, [1, 10, 1, 1], [1, 1, 1, 1], "VALID")
    dropped = tf.nn.dropout(tf.reshape(tf.concat([pooled], 3), [-1, 4]), keep)
    with tf.name_scope("output"):
        w, b = variable([4, 2], "W"), tf.Variable(tf.zeros([2]), name="b")
        l2 = tf.nn.l2_loss(w) + tf.nn.l2_loss(b)
        scores = tf.nn.xw_plus_b(dropped, w, b, name="scores")
        predictions = tf.argmax(scores, 1, name="predictions")
    with tf.name_scope("loss"):
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(logits=scores, labels=y)) + 0.1 * l2
    with tf.name_scope("accuracy"):
        correct = tf.equal(predictions, tf.argmax(y, 1))
        tf.reduce_mean(tf.cast(correct, "float"), name="accuracy")
    optimizer = tf.train.AdamOptimizer(1e-3)
    grads = optimizer.compute_gradients(loss)
    optimizer.apply_gradients(grads, global_step=tf.Variable(0, name="global_step", trainable=False))
    for g, v in grads:
        tf.summary.scalar(f"{v.op.name}/grad/sparsity", tf.nn.zero_fraction(g))
    tf.train.Saver()


def dqn():
    """The value of the action that was taken, against a target."""
    state = tf.placeholder(tf.float32, [None, 4], name="state")
    action = tf.placeholder(tf.int32, [None], name="action")
    target = tf.placeholder(tf.float32, [None], name="target")
    q = tf.layers.dense(tf.layers.dense(state, 8, tf.nn.relu), 3, name="q")
    tf.argmax(q, 1, name="best")
    taken = tf.reduce_sum(q * tf.one_hot(action, 3), 1)
    loss = tf.reduce_mean(tf.squared_difference(target, taken))
    tf.train.AdamOptimizer(0.1).minimize(loss)


def guarded():
    """Assertions, and prints and checks in the middle of the network."""
    x = tf.placeholder(tf.float32, [None, 6], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    with tf.control_dependencies([tf.Assert(tf.reduce_all(tf.greater(x, -1.0)), [x]), tf.assert_less(y, 3), tf.assert_positive(x)]):
        hidden = tf.nn.relu(dense(x, 4))
    hidden = tf.Print(hidden, [tf.reduce_mean(hidden)])
    logits = tf.check_numerics(dense(hidden, 3, name="logits"), "logits")
    tf.nn.softmax(logits, name="scores")
    tf.train.AdamOptimizer(0.1).minimize(tf.losses.sparse_softmax_cross_entropy(y, logits))


def speech(decode):
    """Sparse labels, lengths, a decoder and an edit distance."""
    inputs = tf.placeholder(tf.float32, [None, None, 6], name="inputs")
    targets = tf.sparse_placeholder(tf.int32, name="targets")
    lengths = tf.placeholder(tf.int32, [None], name="seq_len")
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(4), inputs, lengths, dtype=tf.float32)
    shape = tf.shape(inputs)
    logits = tf.reshape(dense(tf.reshape(outputs, [-1, 4]), 5), [shape[0], -1, 5])
    logits = tf.transpose(logits, (1, 0, 2), name="logits")
    cost = tf.reduce_mean(tf.nn.ctc_loss(targets, logits, lengths))
    tf.train.MomentumOptimizer(0.1, 0.9).minimize(cost)
    decoded, _ = decode(logits, lengths)
    tf.reduce_mean(tf.edit_distance(tf.cast(decoded[0], tf.int32), targets))


def ctc():
    speech(tf.nn.ctc_greedy_decoder)


def beam_search():
    speech(lambda logits, lengths: tf.nn.ctc_beam_search_decoder(logits, lengths, 10, 2, False))


def language_model():
    """Integers in, integers as targets, sequence lengths; a loss with weights for each word."""
    words = tf.placeholder(tf.int32, [None, None], name="words")
    targets = tf.placeholder(tf.int32, [None, None], name="targets")
    lengths = tf.placeholder(tf.int32, [None], name="lengths")
    table = tf.get_variable("table", [50, 8])
    outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(6), tf.nn.embedding_lookup(table, words), lengths, dtype=tf.float32)
    logits = tf.layers.dense(outputs, 50, name="logits")
    mask = tf.cast(tf.sequence_mask(lengths), tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
    cost = tf.reduce_sum(losses * mask) / tf.reduce_sum(mask)
    tf.exp(cost, name="perplexity")
    tf.train.AdamOptimizer(0.1).minimize(cost)


def segmentation():
    """Moving averages of all weights, weights of the loss, an annotated image."""
    image = tf.placeholder(tf.float32, [None, 8, 8, 3], name="image")
    annotation = tf.placeholder(tf.uint8, [None, 8, 8, 1], name="annotation")
    training = tf.placeholder(tf.bool, [], name="is_training")
    net = tf.nn.relu(tf.layers.batch_normalization(tf.layers.conv2d(image, 4, 3, padding="same"), training=training))
    logits = tf.layers.conv2d(net, 3, 1, name="score")
    tf.expand_dims(tf.argmax(logits, 3), 3, name="prediction")
    labels = tf.squeeze(tf.cast(annotation, tf.int32), 3)
    weights = tf.gather(tf.constant([0.1, 1.0, 2.0]), labels)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits, weights)
    train = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    average = tf.train.ExponentialMovingAverage(0.99)
    with tf.control_dependencies([train]):
        average.apply(tf.trainable_variables() + [loss])
    tf.metrics.mean_iou(labels, tf.argmax(logits, 3), 3)
    tf.summary.image("annotation", annotation)
    tf.train.Saver(average.variables_to_restore())


def bert():
    """A mask that meets activations only, but with layers behind it; a loss from probabilities."""
    ids = tf.placeholder(tf.int32, [None, 8], name="input_ids")
    mask = tf.placeholder(tf.int32, [None, 8], name="input_mask")
    labels = tf.placeholder(tf.int32, [None], name="label_ids")
    x = tf.gather(tf.get_variable("words", [50, 8]), ids)
    scores = tf.matmul(tf.layers.dense(x, 8), tf.layers.dense(x, 8), transpose_b=True)
    scores += (1.0 - tf.cast(mask, tf.float32)[:, None, :]) * -10000.0
    x = tf.matmul(tf.nn.softmax(scores), tf.layers.dense(x, 8))
    pooled = tf.layers.dense(x[:, 0], 8, tf.nn.tanh)
    with tf.variable_scope("loss"):
        logits = tf.nn.bias_add(tf.matmul(tf.nn.dropout(pooled, rate=0.1), tf.get_variable("w", [3, 8]), transpose_b=True), tf.get_variable("b", [3]))
        tf.nn.softmax(logits)
        log_probs = tf.nn.log_softmax(logits)
        per_example = -tf.reduce_sum(tf.one_hot(labels, 3) * log_probs, -1)
        loss = tf.reduce_mean(per_example)
    tf.train.AdamOptimizer(0.1).minimize(loss)


def conditional_gan():
    """Labels that are an input of the network."""
    z = tf.placeholder(tf.float32, [None, 4], name="z")
    labels = tf.placeholder(tf.float32, [None, 3], name="labels")
    with tf.variable_scope("generator"):
        image = tf.nn.sigmoid(dense(tf.nn.relu(dense(tf.concat([z, labels], 1), 8)), 12), name="image")
    with tf.variable_scope("discriminator"):
        fake = dense(tf.nn.relu(dense(tf.concat([image, labels], 1), 8)), 1, name="fake")
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(logits=fake, labels=tf.zeros_like(fake)))
    tf.train.AdamOptimizer(0.1).minimize(loss)


def queues():
    """Batches of a queue, a loss collection, moving averages of losses: cifar10.py."""
    label = tf.cast(tf.placeholder(tf.int32, [1], name="byte"), tf.int32)
    label.set_shape([1])
    images, labels = tf.train.shuffle_batch([tf.zeros([8, 8, 3]), label], 4, 20, 10)
    net = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(images, variable([3, 3, 3, 4]), [1, 1, 1, 1], "SAME"), tf.Variable(tf.zeros([4]))), name="conv1")
    tf.summary.histogram("conv1/activations", net)
    tf.summary.scalar("conv1/sparsity", tf.nn.zero_fraction(net))
    logits = dense(tf.reshape(net, [4, 256]), 3, name="softmax_linear")
    tf.summary.histogram("softmax_linear/activations", logits)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.reshape(labels, [4]), logits=logits)
    mean = tf.reduce_mean(entropy, name="cross_entropy")
    total = tf.add_n([mean, tf.multiply(tf.nn.l2_loss(net), 0.1, name="weight_loss")], name="total_loss")
    average = tf.train.ExponentialMovingAverage(0.9, name="avg")
    with tf.control_dependencies([average.apply([mean, total])]):
        tf.train.GradientDescentOptimizer(0.1).minimize(total)
    tf.nn.in_top_k(logits, tf.reshape(labels, [4]), 1)


def sequences():
    """Lengths of sequences, whose least and greatest dynamic_rnn computes and does not read; no training."""
    x = tf.placeholder(tf.float32, [None, None, 4], name="x")
    lengths = tf.placeholder(tf.int32, [None], name="lengths")
    _, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(3), x, lengths, dtype=tf.float32)
    dense(state.h, 2, name="scores")


BUILDERS = [
    mnist_softmax, mnist_with_summaries, embedding_classifier, retrain, a2c, keras, estimator, autoencoder, triplet, regression,
    word2vec, text_cnn, dqn, guarded, ctc, beam_search, language_model, segmentation, bert, conditional_gan, queues, sequences,
]


def make(folder):
    folder = folder / "infer_outputs"
    folder.mkdir(parents=True, exist_ok=True)
    for build in BUILDERS:
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(0)
            build()
            definition = graph.as_graph_def()
        for node in definition.node:
            node.attr.pop("_output_shapes", None)
            node.attr.pop("_class", None)
        (folder / f"{build.__name__}.pb.gz").write_bytes(gzip.compress(definition.SerializeToString(deterministic=True), 9, mtime=0))
