"""Losses of adversarial games."""


def hinge_critic_loss(real, fake):
    r"""Hinge loss of the critic in an adversarial game [1]_.

    .. math:: L_D = \mathrm{E} \max(0, 1 - D(x)) + \mathrm{E} \max(0, 1 + D(\tilde x))

    The generator minimises :math:`-\mathrm{E} D(\tilde x)`.

    Parameters
    ----------
    real : torch.Tensor of shape (n_real, 1)
        Outputs D(x) of the critic for rows of the data.
    fake : torch.Tensor of shape (n_fake, 1)
        Outputs for generated rows.

    Returns
    -------
    loss : torch.Tensor of shape ()
        At least 0; 2 if the critic says nothing.

    References
    ----------
    .. [1] J. H. Lim and J. C. Ye. "Geometric GAN". arXiv:1705.02894, 2017.
    """
    return (1 - real).relu().mean() + (1 + fake).relu().mean()
