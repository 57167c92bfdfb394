"""Drop path: a whole branch is left out for some images of a training batch.

Larsson et al., "FractalNet: Ultra-Deep Neural Networks without Residuals", ICLR 2017.
"""

from __future__ import annotations

from torch import Tensor


def drop_path(x: Tensor, probability: float) -> Tensor:
    """`x` (n, c, h, w) with each image set to zero with `probability`, the others divided by 1 - `probability`.

    The draws come from torch's own generator, as those of `nn.Dropout` do: training code seeds it.
    """
    keep = 1.0 - probability
    return x * (x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(keep) / keep)
