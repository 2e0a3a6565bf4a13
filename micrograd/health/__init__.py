"""What goes wrong in a training, in plain words with the number behind each: dead units, a vanishing δ, a learning rate
that is too high.

>>> import random
>>> from micrograd import fit, losses, nn, optim
>>> random.seed(1)
>>> model = nn.MLP(2, [8, 1])
>>> for neuron in model.layers[0].neurons:
...     neuron.bias.data = -4.0
>>> samples = [([0.0, 0.5], -1), ([1.0, 0.0], 1), ([0.5, 1.0], -1), ([1.0, 1.0], 1)]
>>> loss = lambda x, y: losses.hinge(model(x), y)
>>> watch = Watch(model, loss, samples)
>>> history = fit(loss, [samples], optim.SGD(model.parameters(), lr=0.1), epochs=5, callbacks=[watch])
>>> print(watch)
8 of 8 units of layer 1 are dead on every sample, from the start: draw its weights with init="he" and its biases as 0, \
or use activation="leaky_relu"

``look`` measures a network, ``diagnosis`` has the rules and their limits, ``watch`` is what a training is given.
"""

from micrograd.health.diagnosis import Diagnosis
from micrograd.health.look import LayerLook, Look
from micrograd.health.watch import Watch

__all__ = ["Diagnosis", "LayerLook", "Look", "Watch"]
