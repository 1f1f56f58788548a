"""Recurrent layers and cells; states and packed sequences are in tests/nn/test_recurrent.py."""

from tests.nn.sample import LayerSample

sequences = (5, 3, 4)  # L, N, I

SAMPLES = [
    LayerSample("RNN", (4, 6), inputs=[sequences]),
    LayerSample("RNN", (4, 6, 2, "relu"), {"bidirectional": True}, [sequences]),
    LayerSample("RNN", (4, 6), {"nonlinearity": "relu", "bias": False}, [(5, 4)]),
    LayerSample("RNN", (4, 6), inputs=[sequences, (1, 3, 6)]),
    LayerSample("GRU", (4, 6), inputs=[sequences]),
    LayerSample("GRU", (4, 6, 2), {"bidirectional": True, "batch_first": True}, [(3, 5, 4)]),
    LayerSample("GRU", (4, 6), {"bias": False}, [(5, 4), (1, 6)]),
    LayerSample("GRU", (4, 6), inputs=[(4, 0, 4)]),
    LayerSample("GRU", (4, 6, 2), {"bidirectional": True}, [sequences, (4, 3, 6)]),
    LayerSample("GRU", (4, 17), inputs=[(2, 9, 4)]),
    LayerSample("GRU", (4, 6, 3), {"dropout": 0.5}, [sequences], random=True),
    LayerSample("LSTM", (4, 6), inputs=[sequences]),
    LayerSample("LSTM", (4, 6, 2), {"bidirectional": True, "proj_size": 2, "batch_first": True}, [(3, 5, 4)]),
    LayerSample("LSTM", (4, 6), {"bias": False, "proj_size": 5}, [sequences]),
    LayerSample("LSTM", (4, 17, 2), {"dropout": 1.0}, [(2, 9, 4)]),
    LayerSample("RNNCell", (4, 6), inputs=[(3, 4)]),
    LayerSample("RNNCell", (4, 6, False, "relu"), inputs=[(3, 4), (3, 6)]),
    LayerSample("RNNCell", (4, 6), {"nonlinearity": "relu"}, [(4,), (6,)]),
    LayerSample("GRUCell", (4, 6), inputs=[(3, 4), (3, 6)]),
    LayerSample("GRUCell", (4, 6, False), inputs=[(4,)]),
    LayerSample("LSTMCell", (4, 6), inputs=[(3, 4)]),
    LayerSample("LSTMCell", (4, 6, False), inputs=[(4,)]),
]

REFUSED = [
    LayerSample("RNN", (4, 6), {"nonlinearity": "gelu"}),
    LayerSample("RNN", (4, 6), {"dropout": 2, "num_layers": 2}),
    LayerSample("GRU", (4, 6), {"dropout": True, "num_layers": 2}),
    LayerSample("GRU", (4, 20.0)),
    LayerSample("GRU", (4.0, 6)),
    LayerSample("GRU", (4, 6), {"batch_first": 1}),
    LayerSample("GRU", (4, 6), {"bias": 0}),
    LayerSample("GRU", (4, 0)),
    LayerSample("GRU", (0, 6)),
    LayerSample("LSTM", (4, 6), {"num_layers": 0}),
    LayerSample("LSTM", (4, 6), {"proj_size": 6}),
    LayerSample("LSTM", (4, 6), {"proj_size": -1}),
    LayerSample("GRU", (4, 6), inputs=[(4,)]),
    LayerSample("GRU", (4, 6), inputs=[(1, 2, 3, 4)]),
    LayerSample("GRU", (4, 6), inputs=[(5, 3, 5)]),
    LayerSample("GRU", (4, 6), {"dtype": None}, [(0, 3, 4)]),
    LayerSample("GRU", (4, 6), inputs=[sequences, (1, 2, 6)]),
    LayerSample("GRU", (4, 6), inputs=[sequences, (1, 6)]),
    LayerSample("GRU", (4, 6), inputs=[(5, 4), (1, 3, 6)]),
    LayerSample("LSTM", (4, 6), inputs=[sequences, (1, 3, 6)]),
    LayerSample("LSTMCell", (4, 6), inputs=[(3, 4), (3, 6)]),
    LayerSample("RNNCell", (4, 6), {"nonlinearity": "gelu"}, [(3, 4)]),
    LayerSample("GRUCell", (4, 6), inputs=[(3, 5)]),
    LayerSample("GRUCell", (4, 6), inputs=[(3, 4), (2, 6)]),
    LayerSample("GRUCell", (4, 6), inputs=[(3, 4), (3, 5)]),
    LayerSample("GRUCell", (4, 6), inputs=[(1, 3, 4)]),
]
