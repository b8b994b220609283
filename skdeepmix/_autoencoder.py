"""Deterministic autoencoder."""

from numbers import Real

from skdeepmix._sklearn_compat import Interval
from skdeepmix.base import BaseDeepModel, LatentModule
from skdeepmix.distributions import LIKELIHOODS


class AutoencoderModule(LatentModule):
    """Networks of :class:`Autoencoder`, and of models in the space of its codes."""

    def __init__(
        self,
        n_features,
        *,
        n_latent,
        encoder,
        decoder,
        likelihood,
        generator,
        bounded=False,
        denoising=0.0,
    ):
        super().__init__()
        self.n_latent = n_latent
        self.bounded = bounded
        self.denoising = denoising
        self.encoder = encoder.build_encoder(n_features, n_latent, generator)
        self.decoder = decoder.build_decoder(n_latent, n_features, generator)
        self.likelihood = LIKELIHOODS[likelihood]()

    def embed(self, x):
        """Code of every row."""
        z = self.encoder(x).to(x.dtype)
        return z.sigmoid() if self.bounded else z

    def decode(self, z):
        """Mean of p(x | z)."""
        return self.likelihood.mean(self.decoder(z).to(z.dtype))

    def log_prob(self, x):
        """Log-likelihood of rows given their own codes."""
        return self._log_prob_given(x, self.embed(x))

    def reconstruction(self, x):
        """Negative log-likelihood of rows given the codes of the noisy rows."""
        noisy = x + self.denoising * self.noise(*x.shape) if self.denoising else x
        return -self._log_prob_given(x, self.embed(noisy))

    def epoch(self, data, progress):
        """Yield the moves of the pre-training: there is nothing else."""
        return self.pretraining_epoch(data)

    def _log_prob_given(self, x, z):
        return self.likelihood.log_prob(x, self.decoder(z).to(x.dtype))


class Autoencoder(BaseDeepModel):
    r"""Deterministic autoencoder: a non-linear PCA.

    An encoder maps rows to codes of few dimensions and a decoder maps them back [1]_:

    .. math::
        \min_{f, g} \; - \sum_i \log p(x_i; g(f(x_i + \varepsilon_i)))

    with the likelihood p of the rows around their reconstruction and, for a denoising
    autoencoder [2]_, Gaussian noise :math:`\varepsilon`. It is what the mixture models
    are pre-trained as. Read more in the :ref:`User Guide <autoencoder>`.

    Parameters
    ----------
    n_latent : int, default=10
        Dimension of the codes, the columns of `transform`.
    encoder : NetworkSpec or None, default=None
        Network from rows to codes; None is ``MLP((500, 500, 2000))``, for fewer than
        5,000 rows ``MLP((500, 500))``, than 1,000 ``MLP((128, 128))``.
    decoder : NetworkSpec or None, default=None
        Network from codes to rows, described from the data side; None is as the
        encoder.
    bounded : bool, default=False
        Whether codes are squashed into (0, 1) by a logistic sigmoid.
    denoising : float, default=0.0
        Standard deviation of Gaussian noise on the rows in training, in units of their
        scale; of the rows themselves with a Bernoulli likelihood.
    max_iter : int, default=50
        Number of epochs.
    batch_size : int or "auto", default="auto"
        Number of rows per step; ``"auto"`` is n_samples / 14, from 100 to 256.
    learning_rate : float, default=0.001
        Step size of Adam, which falls linearly to zero over the last 60 % of the
        epochs.
    tol : float, default=1e-4
        Smallest decrease of the loss that counts, relative to its size.
    n_iter_no_change : int, default=10
        Number of epochs without such a decrease after which the fit stops. The weights
        of the best epoch are kept.
    likelihood : {"gaussian", "bernoulli"}, default="gaussian"
        ``"gaussian"`` has one learned noise scale and takes any real X; ``"bernoulli"``
        takes X in [0, 1], unscaled.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Arithmetic of the networks in training; ``"auto"`` is bfloat16 where the device
        multiplies it natively, else float32.
    device : str or torch.device, default="auto"
        Where to train; ``"auto"`` is a CUDA device if there is one, else the CPU.
    verbose : int, default=0
        Whether to show progress.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness.

    Attributes
    ----------
    loss_curve_ : list of float
        Loss of every epoch: the negative log-likelihood of the rows given their codes,
        in nats per row, in model units.
    n_iter_ : int
        Number of epochs.
    module_ : LatentModule
        The networks.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if X had them.

    See Also
    --------
    sklearn.decomposition.PCA : The linear case.

    Notes
    -----
    `score_samples` is the log-likelihood of a row given its own code. It measures
    reconstruction and is no density of X: a longer code always scores better.

    References
    ----------
    .. [1] Hinton, Salakhutdinov, "Reducing the dimensionality of data with neural
       networks", Science 313, 2006.
    .. [2] Vincent, Larochelle, Bengio, Manzagol, "Extracting and composing robust
       features with denoising autoencoders", ICML 2008, Eq. 3.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepmix import Autoencoder
    >>> X, y = make_blobs(200, n_features=5, centers=3, random_state=0)
    >>> codes = Autoencoder(n_latent=2, max_iter=20, random_state=0).fit_transform(X)
    >>> codes.shape
    (200, 2)
    >>> pipeline = make_pipeline(Autoencoder(n_latent=2, max_iter=20), KMeans(3))
    >>> pipeline.fit_predict(X).shape
    (200,)
    """

    _module_class = AutoencoderModule

    _parameter_constraints: dict = {
        **BaseDeepModel._parameter_constraints,
        "bounded": ["boolean"],
        "denoising": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_latent=10,
        *,
        encoder=None,
        decoder=None,
        bounded=False,
        denoising=0.0,
        max_iter=50,
        batch_size="auto",
        learning_rate=1e-3,
        tol=1e-4,
        n_iter_no_change=10,
        likelihood="gaussian",
        precision="float32",
        device="auto",
        verbose=0,
        random_state=None,
    ):
        self.n_latent = n_latent
        self.encoder = encoder
        self.decoder = decoder
        self.bounded = bounded
        self.denoising = denoising
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.likelihood = likelihood
        self.precision = precision
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _module_parameters(self):
        return {"bounded": self.bounded, "denoising": self.denoising}
