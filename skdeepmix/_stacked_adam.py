"""Adam for networks on a tensor axis that do not all take every step."""

import torch


class StackedAdam(torch.optim.Optimizer):
    """K Adams [1]_, one for each slice of stacked parameters.

    Each slice counts its own steps and multiplies its step by its own factor. A slice
    with the factor 0 takes no step at all: neither do its weights move on by momentum
    nor are its moments and its count touched, as if it had an optimizer of its own
    that was not called. A factor on the loss would not do: Adam divides it out.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter of shape (n_networks, ...)
        The stacked parameters. Those of a group step together: each has a gradient.
    lr : float
        Step size.
    factors : torch.Tensor of shape (n_networks,)
        Factors of the next step, at least 0. The caller changes them in place.
    weight_decay : float, default=0.0
        Decoupled weight decay [2]_, relative to the step size.
    betas : tuple of float, default=(0.9, 0.999)
        Decay of the first and second moments.
    eps : float, default=1e-8
        Added to the root of the second moment.

    References
    ----------
    .. [1] Kingma, Ba, "Adam: A method for stochastic optimization", ICLR 2015,
       Algorithm 1.
    .. [2] Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    def __init__(
        self, params, lr, factors, *, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-8
    ):
        self.factors = factors
        defaults = {"lr": lr, "weight_decay": weight_decay, "betas": betas, "eps": eps}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step with the slices whose factor is not 0.

        Parameters
        ----------
        closure : None
            Not supported.
        """
        for group in self.param_groups:
            self._step(group)

    def _step(self, group):
        parameters = group["params"]
        gradient = _flat(parameter.grad for parameter in parameters)
        # One state for all parameters, which step together: (K, n_weights).
        state = self.state[parameters[0]]
        if not state:
            state["step"] = torch.zeros_like(self.factors).unsqueeze(1)
            state["mean"] = torch.zeros_like(gradient)
            state["square"] = torch.zeros_like(gradient)
        factors = self.factors.unsqueeze(1)
        active = (factors > 0).to(gradient.dtype)
        state["step"] += active
        beta1, beta2 = group["betas"]
        # A moment of an idle slice is left as it is: its decay is 1.
        state["mean"].lerp_(gradient, (1 - beta1) * active)
        state["square"].lerp_(gradient.square(), (1 - beta2) * active)
        count = state["step"].clamp(min=1)
        scale = (state["square"] / (1 - beta2**count)).sqrt_().add_(group["eps"])
        step = (state["mean"] / (1 - beta1**count)).div_(scale)
        if group["weight_decay"]:
            step.add_(_flat(parameters), alpha=group["weight_decay"])
        step.mul_(group["lr"] * factors)
        sizes = [parameter[0].numel() for parameter in parameters]
        for parameter, part in zip(parameters, step.split(sizes, 1), strict=True):
            parameter.sub_(part.view_as(parameter))


def _flat(tensors):
    return torch.cat([tensor.flatten(1) for tensor in tensors], 1)
