"""Neural networks on autodiff: layers, losses, optimisers, training, MNIST.

Everything is built from autodiff's primitives, so no derivative is written here.
"""

from autodiff.core.tracebacks import hide
from nn.data import Mnist, mnist, to_one_hot
from nn.files import DataError
from nn.history import DivergenceError, History, Row
from nn.layers import Affine, Layer, ReLU, Sequential, Sigmoid
from nn.losses import softmax_cross_entropy
from nn.networks import Classifier, TwoLayerNet
from nn.optimisers import SGD
from nn.training import train

hide(__name__)

__all__ = [
    "SGD",
    "Affine",
    "Classifier",
    "DataError",
    "DivergenceError",
    "History",
    "Layer",
    "Mnist",
    "ReLU",
    "Row",
    "Sequential",
    "Sigmoid",
    "TwoLayerNet",
    "mnist",
    "softmax_cross_entropy",
    "to_one_hot",
    "train",
]
