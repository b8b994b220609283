"""Cloneable descriptions of networks, and layers for K networks side by side."""

from skdeepmix.networks._layers import StackedLinear
from skdeepmix.networks._specs import MLP, ConvNet, NetworkSpec, ResNet

__all__ = ["MLP", "ConvNet", "NetworkSpec", "ResNet", "StackedLinear"]
