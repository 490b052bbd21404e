"""Ops on sequences: cells and layers of recurrent networks, the labels that a network reads, and sound."""

import numpy as np

CELL = ["float32", "float32", "float32", "float16"]


def sizes(case):
    """Inputs and units of a cell. Without inputs, the state alone says what it computes."""
    return case.integer(0 if case.chance(0.1) else 1, 4), case.integer(1, 4)


def lstm(case, steps, inputs, units, batch):
    """What a cell or a layer of cells reads."""
    dtype = case.choose(CELL)
    weight = lambda *dims: case.argument(case.numbers().normal(size=dims) / 2, dtype)
    x = case.tensor(dtype, (0, 9), "plain", [*steps, batch, inputs])
    state = [case.tensor(dtype, (2, 2), "plain", [batch, units]) for _ in range(2)]
    peepholes = {name: weight(units) for name in ("wci", "wcf", "wco")}
    return dict(x=x, cs_prev=state[0], h_prev=state[1], w=weight(inputs + units, 4 * units), b=weight(4 * units), **peepholes)


def lstm_ways(case, name):
    ways = dict(use_peephole=case.chance(0.4), cell_clip=case.choose([-1.0, 0.0, 0.5, 3.0]))
    return ways if name == "BlockLSTMV2" else ways | dict(forget_bias=case.choose([0.0, 1.0]))


def lstm_cell(case):
    given = lstm(case, [], *sizes(case), case.integer(1, 3))
    return case.op("LSTMBlockCell", True, **given, **lstm_ways(case, "LSTMBlockCell"))


def block_lstm(name):
    def make(case):
        steps = case.integer(0 if case.chance(0.1) else 1, 4)
        given = lstm(case, [steps], *sizes(case), case.integer(0 if case.chance(0.1) else 1, 3))
        length = case.choose([steps, case.integer(0, steps)])
        results = case.op(name, True, seq_len_max=case.argument(length, "int64"), **given, **lstm_ways(case, name))
        for gate in [0, 2, 3, 4, 5]:
            # TensorFlow leaves the gates of the steps after the last one as they were in memory.
            results[gate].is_hidden |= length < steps
        return results

    return make


def gru_cell(case):
    inputs, units = sizes(case)
    batch = case.integer(0 if case.chance(0.1) else 1, 3)
    weight = lambda *dims: case.argument(case.numbers().normal(size=dims) / 2, "float32")
    given = dict(x=case.tensor("float32", (2, 2), "plain", [batch, inputs]), h_prev=case.tensor("float32", (2, 2), "plain", [batch, units]))
    given |= dict(w_ru=weight(inputs + units, 2 * units), w_c=weight(inputs + units, units), b_ru=weight(2 * units), b_c=weight(units))
    return case.op("GRUBlockCell", True, **given)


def greedy_decoder(case):
    steps, batch, classes = case.integer(1, 5), case.integer(1, 3), case.integer(1, 4)
    # On a grid, so that several labels are the likeliest ones.
    inputs = case.numbers().randint(-4, 5, [steps, batch, classes]) / 4
    x = case.feed(inputs.astype(case.choose(["float32", "float64"])))
    lengths = case.argument(case.integers(batch, 0, steps))
    ways = dict(merge_repeated=case.chance(0.5), blank_index=case.choose([-1, -1, case.integer(-classes, classes - 1)]))
    return case.op("CTCGreedyDecoder", True, inputs=x, sequence_length=lengths, **ways)


def beam_search_decoder(case):
    steps, batch, classes, width = case.integer(1, 8), case.integer(1, 3), case.integer(1, 6), case.integer(1, 9)
    # No two paths are equally likely: which of them is the first is left open.
    inputs = case.numbers().normal(size=[steps, batch, classes]) * case.choose([0.3, 1, 3, 8])
    if case.chance(0.2):
        inputs[..., :-1][case.numbers().uniform(size=[steps, batch, classes - 1]) < 0.3] = -np.inf
    x = case.feed(inputs.astype(case.choose(["float32", "float64"])))
    paths = case.choose([1, case.integer(1, width)])
    lengths = case.argument(case.integers(batch, case.choose([-1, 1]), steps))
    ways = dict(beam_width=width, top_paths=paths, merge_repeated=case.chance(0.5))
    # Of float64, TensorFlow rounds sums of probabilities to float32.
    return case.op("CTCBeamSearchDecoder", 2 if x.dtype == "float64" else 1, inputs=x, sequence_length=lengths, **ways)


def sequences(case, groups, dtype):
    """A sparse tensor of short sequences of few different values, of which some groups have none."""
    places, values, length = [], [], case.integer(0, 8)
    for group in np.ndindex(*groups):
        count = case.integer(0, length) if case.chance(0.8) else 0
        places += [[*group, place] for place in range(count)]
        values += case.integers(count, 0, 2)
    values = np.array(values, np.int64)
    values = np.array([b"a", b"b", b"ab"], object)[values] if dtype == "string" else values.astype(dtype)
    places = np.array(places, np.int64).reshape(len(values), len(groups) + 1)
    return case.feed(places), case.feed(values), case.argument([*groups, length], "int64")


def edit_distance(case):
    dtype = case.choose(["string", "bool", "uint8", "int16", "int32", "int64", "uint64", "float16", "float32", "float64"])
    groups = case.integers(case.integer(1, 3), 1, 3)
    others = [case.choose([length, case.integer(1, 4)]) for length in groups]
    given = {}
    for what, lengths in (("hypothesis", groups), ("truth", others)):
        given |= dict(zip((f"{what}_indices", f"{what}_values", f"{what}_shape"), sequences(case, lengths, dtype)))
    return case.op("EditDistance", **given, normalize=case.chance(0.6))


def audio_spectrogram(case):
    x = case.tensor("float32", (2, 2), "plain", [case.integer(1, 40), case.integer(1, 2)])
    ways = dict(window_size=case.integer(2, 20), stride=case.integer(1, 9), magnitude_squared=case.chance(0.5))
    return case.op("AudioSpectrogram", True, input=x, **ways)


def mfcc(case):
    dims = [case.integer(1, 2), case.integer(1, 3), case.integer(3, 33)]
    x = case.feed(case.numbers().uniform(0, 9, dims).astype("float32"))
    channels = case.integer(2, 20)
    ways = dict(filterbank_channel_count=channels, dct_coefficient_count=case.integer(1, channels))
    ways |= dict(lower_frequency_limit=case.choose([20.0, 300.0]), upper_frequency_limit=case.choose([4000.0, 3500.0, 2000.0]))
    return case.op("Mfcc", True, spectrogram=x, sample_rate=case.argument(case.choose([8000, 16000, 44100])), **ways)


OPS = {name: block_lstm(name) for name in ("BlockLSTM", "BlockLSTMV2")}
OPS |= {"LSTMBlockCell": lstm_cell, "GRUBlockCell": gru_cell, "CTCGreedyDecoder": greedy_decoder}
OPS |= {"CTCBeamSearchDecoder": beam_search_decoder, "EditDistance": edit_distance}
OPS |= {"AudioSpectrogram": audio_spectrogram, "Mfcc": mfcc}
