"""A symmetric tensor as a sum of cubes of vectors, by alternating least squares with line search.

The starts are those that the log of the built-in tells of: its first two from a singular value decomposition, the
others at random, and the vectors made orthogonal in the first iterations (Sharan and Valiant, Orthogonalized ALS,
2017). The line search goes further along the last step (Rajih, Comon and Harshman, 2008).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError

Doubles = NDArray[np.float64]
QR_ITERATIONS = 5
_LEAST = 1e-12


@dataclass(frozen=True)
class Search:
    """How the sum is looked for; the names are those of the hyperparameters. A restart after the first is optional."""

    max_restarts: int
    max_iterations: int
    tol: float
    allow_svd_init: bool
    seed: int
    say: Callable[[str], None] = lambda _: None
    enough: Callable[[], bool] = lambda: False
    """Asked between restarts: whether what was found so far will do."""


@dataclass(frozen=True)
class Cubes:
    """The tensor is about the sum over i of weights[i] times the cube of vectors[:, i], which are of length one."""

    weights: Doubles
    vectors: Doubles
    error: float
    """What is left of the tensor: the length of the difference divided by its own."""


@dataclass(frozen=True)
class _Factors:
    """Three factors (k, n) each; the columns of the first two are of length one."""

    a: Doubles
    b: Doubles
    c: Doubles

    def towards(self, other: _Factors, rate: float) -> _Factors:
        """From here `rate` times as far as `other` is."""
        pairs = ((self.a, other.a), (self.b, other.b), (self.c, other.c))
        return _Factors(*(own + rate * (new - own) for own, new in pairs))


def decompose(tensor: Doubles, count: int, search: Search) -> Cubes:
    """The best sum of `count` cubes of all restarts. Raises UserError where the tensor is nothing at all."""
    fit = _Fit(tensor, count)
    if not fit.length > 0:
        raise UserError("the documents do not differ in what they are about: give other documents, or use gibbs")
    found: list[Cubes] = []
    for restart in range(1, search.max_restarts + 1):
        if found and search.enough():
            break
        search.say(f"Restart {restart}/{search.max_restarts}")
        found.append(fit.cubes(_descended(fit, search, restart)))
    best = min(found, key=lambda cubes: cubes.error)
    search.say(f"Best reconstruction error: {best.error:.8f}")
    return best


def _descended(fit: _Fit, search: Search, restart: int) -> _Factors:
    by_svd = search.allow_svd_init and restart <= 2
    orthogonal = 0 if (by_svd and restart == 2) or fit.count > len(fit.tensor) else QR_ITERATIONS
    say = search.say
    say("[CPDecomp] Starting CPDecomp...")
    say(f"[CPDecomp] Configuration: num_qr_iterations={orthogonal}, line_search=True, relaxation_factor=scaled")
    say(f"[CPDecomp] Using {'svd' if by_svd else 'random'} initialization.")
    now = fit.start(np.random.default_rng([search.seed, restart]), by_svd=by_svd)
    before, error = now, fit.error(now)
    for iteration in range(1, search.max_iterations + 1):
        if iteration > orthogonal + 1:
            further = before.towards(now, iteration ** (1 / 3))
            gained = error - fit.error(further)
            if gained > 0:
                say(f"[CPDecomp] Using line search: error_diff={gained!r}")
                now = further
        before = now
        now = fit.step(now, orthogonal=iteration <= orthogonal)
        last, error = error, fit.error(now)
        if iteration > orthogonal and abs(last - error) < search.tol:
            say(f"[CPDecomp] iter={iteration}, error={error!r}, var={abs(last - error)!r}")
            say(f"Converged to local minimum in {iteration} iterations.")
            return now
    say(f"Stopped after {search.max_iterations} iterations (max_iterations): error={error!r}")
    return now


class _Fit:
    """The tensor, and what factors make of it."""

    def __init__(self, tensor: Doubles, count: int) -> None:
        k = len(tensor)
        self.tensor, self.unfolded, self.count = tensor, tensor.reshape(k, k * k), count
        self.length = float(np.linalg.norm(tensor))

    def start(self, random: np.random.Generator, *, by_svd: bool) -> _Factors:
        """Singular vectors of the unfolded tensor, as far as there are enough, or random ones."""
        a, b, c = random.standard_normal((3, len(self.tensor), self.count))
        if by_svd:
            vectors = np.linalg.svd(self.unfolded @ self.unfolded.T)[0][:, : self.count]
            a[:, : vectors.shape[1]] = b[:, : vectors.shape[1]] = c[:, : vectors.shape[1]] = vectors
        return _Factors(a, b, c)

    def step(self, factors: _Factors, *, orthogonal: bool) -> _Factors:
        """Each factor in turn as the other two want it."""
        if orthogonal:
            factors = _Factors(*(np.linalg.qr(factor)[0] for factor in (factors.a, factors.b, factors.c)))
        a = _unit(_solved(self._seen(factors.b, factors.c), factors.b, factors.c))
        b = _unit(_solved(self._seen(a, factors.c), a, factors.c))
        return _Factors(a, b, _solved(self._seen(a, b), a, b))

    def error(self, factors: _Factors) -> float:
        """What is left, as a share of the tensor's length."""
        products = (factors.a.T @ factors.a) * (factors.b.T @ factors.b) * (factors.c.T @ factors.c)
        common = float((self._seen(factors.a, factors.b) * factors.c).sum())
        left = self.length**2 - 2 * common + float(products.sum())
        return float(np.sqrt(max(left, 0.0))) / self.length

    def cubes(self, factors: _Factors) -> Cubes:
        """The cubes that three factors, which are nearly the same, stand for."""
        vectors = _unit(factors.c)
        for factor in (_unit(factors.a), factors.b):
            vectors = vectors + factor * np.sign((factor * vectors).sum(axis=0))
        vectors = _unit(vectors)
        common = (self._seen(vectors, vectors) * vectors).sum(axis=0)
        weights = np.linalg.pinv((vectors.T @ vectors) ** 3, hermitian=True) @ common
        vectors, weights = vectors * np.where(weights < 0, -1, 1), np.abs(weights)
        found = Cubes(weights, vectors, 0.0)
        return replace(found, error=self.error(_Factors(vectors, vectors, vectors * weights)))

    def _seen(self, one: Doubles, other: Doubles) -> Doubles:
        """(k, n): the tensor along column i of both; it is symmetric, so that it does not matter along which sides."""
        k, n = one.shape
        seen: Doubles = self.unfolded @ (one[:, None] * other[None]).reshape(k * k, n)
        return seen


def _solved(seen: Doubles, one: Doubles, other: Doubles) -> Doubles:
    products = (one.T @ one) * (other.T @ other)
    solved: Doubles = seen @ np.linalg.pinv(products, hermitian=True)
    return solved


def _unit(columns: Doubles) -> Doubles:
    unit: Doubles = columns / np.maximum(np.linalg.norm(columns, axis=0), _LEAST)
    return unit
