"""Layers that walk along sequences: RNN, GRU, LSTM and their cells."""
