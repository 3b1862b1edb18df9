"""A study file with every table and nearly every kind of entry."""

FULL = """
description = "every table"
dataset = "digits"
model = "cnn"
objective = "val_loss"

[training]
epochs = 12
early_stopping = { monitor = "val_accuracy", patience = 3 }
validation = 0.2
seed = 7
precision = "auto"
subset = 500
batch_size = 32

[search]
sampler = { name = "tpe", n_startup_trials = 4 }
pruner = { name = "patient", patience = 2, wrapped = { name = "median" } }
trials = 9
trial_timeout = "30m"

[space]
learning_rate = { low = 1e-4, high = 1e-1, log = true }
dropout = { low = 0.0, high = 0.5, step = 0.25 }
optimizer = ["adam", "sgd"]
momentum = { choices = [0.0, 0.9], when = { optimizer = "sgd" } }
conv_layers = { low = 1, high = 2 }
conv.filters = { each = "conv_layers", choices = [4, 8] }
"conv.1.kernel" = [3, 5]

[final]
finalists = 2
seeds = 1
train_on = "train"
"""
