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
        The stacked parameters.
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
        active = self.factors > 0
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group, active)

    def _step(self, parameter, group, active):
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros_like(self.factors)
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["step"] += active
        beta1, beta2 = group["betas"]
        shape = (-1, *[1] * (parameter.ndim - 1))
        # A moment of an idle slice is left as it is: its decay is 1.
        for moment, value, beta in (
            ("mean", parameter.grad, beta1),
            ("square", parameter.grad.square(), beta2),
        ):
            fresh = ((1 - beta) * active).view(shape)
            state[moment].add_(fresh * (value - state[moment]))
        count = state["step"].clamp(min=1)
        size = group["lr"] * self.factors
        denominator = (state["square"] / (1 - beta2**count).view(shape)).sqrt()
        direction = state["mean"] / (1 - beta1**count).view(shape)
        direction = direction / (denominator + group["eps"])
        direction = direction + group["weight_decay"] * parameter
        parameter.sub_(size.view(shape) * direction)
