"""Plain twins of the rules: one synapse, one loop, straight from the formulas; and pairs of spikes counted one by one.

Times in ms. Where both cells fire at the same moment the presynaptic spike comes first.
"""

from itertools import pairwise
from math import exp

import numpy as np


def merged(pre, post):
    """Spikes of both cells in order: (time, 0 for pre or 1 for post)."""
    return sorted([(t, 0) for t in pre] + [(t, 1) for t in post])


def triplet(events, a2_plus, a3_plus, a2_minus, a3_minus, tau_plus, tau_minus, tau_x, tau_y, nearest=False):
    """Pfister & Gerstner 2006: change of a weight that begins at 1."""
    r1 = r2 = o1 = o2 = 0.0
    w = 1.0
    last = events[0][0]
    for t, kind in events:
        ago = t - last
        last = t
        r1 *= exp(-ago / tau_plus)
        r2 *= exp(-ago / tau_x)
        o1 *= exp(-ago / tau_minus)
        o2 *= exp(-ago / tau_y)
        if kind == 0:
            w = max(w - o1 * (a2_minus + a3_minus * r2), 0.0)
            r1, r2 = (1.0, 1.0) if nearest else (r1 + 1.0, r2 + 1.0)
        else:
            w += r1 * (a2_plus + a3_plus * o2)
            o1, o2 = (1.0, 1.0) if nearest else (o1 + 1.0, o2 + 1.0)
    return w - 1.0


def vogels(events, eta, rho0_hz, tau):
    x_pre = x_post = 0.0
    w = 1.0
    last = events[0][0]
    for t, kind in events:
        x_pre *= exp(-(t - last) / tau)
        x_post *= exp(-(t - last) / tau)
        last = t
        if kind == 0:
            w = max(w + eta * (x_post - 2 * rho0_hz * tau / 1000), 0.0)
            x_pre += 1
        else:
            w = max(w + eta * x_pre, 0.0)
            x_post += 1
    return w - 1.0


def costa(pre, post, d_minus, d_plus, c_plus, eta, tau_fb_minus, tau_fb_plus, tau_ff_plus, p_start, q_start):
    """Costa et al. 2015, each trace as a sum over all spikes before."""
    p, q = p_start, q_start

    def level(spikes, t, tau, same_moment):
        return sum(exp(-(t - s) / tau) for s in spikes if s < t or (same_moment and s == t))

    for t, kind in merged(pre, post):
        if kind == 0:
            fb_minus, fb_plus = level(post, t, tau_fb_minus, False), level(post, t, tau_fb_plus, False)
            ff_plus = level(pre, t, tau_ff_plus, False)
            p += eta * (-d_minus * fb_plus * fb_minus + d_plus * fb_plus * ff_plus)
            p = min(max(p, 0.01), 1.0)
        else:
            q += eta * c_plus * level(pre, t, tau_ff_plus, True) * level(post, t, tau_fb_minus, False)
    return p / p_start - 1.0, q / q_start - 1.0


def pairs(pre, post, scheme):
    """All Δt of a pairing scheme, by its definition (Morrison, Diesmann & Gerstner 2008, Fig. 7)."""
    events = merged(pre, post)
    if scheme == "all":
        return [s - t for t in pre for s in post]
    found = []
    for i, (t, kind) in enumerate(events):
        before = events[:i]
        others = [s for s, other in before if other != kind]
        if scheme == "nearest_symmetric":
            # Each spike pairs with the last one of the other cell before it.
            found += [t - others[-1] if kind else others[-1] - t] if others else []
        elif scheme == "nearest_reduced_symmetric":
            # ... when nothing lies between them.
            found += [t - others[-1] if kind else others[-1] - t] if others and before[-1][1] != kind else []
        elif kind == 0:
            # Each presynaptic spike pairs with the postsynaptic ones on either side of it.
            after = [s for s, other in events[i + 1 :] if other == 1]
            found += ([others[-1] - t] if others else []) + ([after[0] - t] if after else [])
    return found


def hebbian(dts, a_plus, a_minus, tau_plus, tau_minus, came_first):
    """Sum of a window over pairs; `came_first` says of Δt = 0 that the presynaptic spike did."""
    return sum(
        a_plus * exp(-dt / tau_plus) if dt > 0 or (dt == 0 and came_first) else -a_minus * exp(dt / tau_minus)
        for dt in dts
    )


def froemke_dan(pre, post, a_plus, a_minus, tau_plus, tau_minus, tau_pre, tau_post):
    """Σ ε_i ε_j F(Δt_ij) over all pairs."""

    def efficacy(spikes, tau):
        return [1.0 - exp(-(b - a) / tau) for a, b in pairwise([float("-inf"), *spikes])]

    total = 0.0
    for t, e_pre in zip(pre, efficacy(pre, tau_pre), strict=True):
        for s, e_post in zip(post, efficacy(post, tau_post), strict=True):
            total += e_pre * e_post * hebbian([s - t], a_plus, a_minus, tau_plus, tau_minus, True)
    return total


def graupner_brunel(events, values, *, n, dt_s, rng):
    """Euler and Maruyama on a grid: shares of `n` synapses that went up, and that came down."""
    v = values
    times = [(t + (v["delay_ms"] if kind == 0 else 0.0), kind) for t, kind in events]
    start, stop = min(t for t, _ in times) / 1e3, max(t for t, _ in times) / 1e3 + 0.5
    n_steps = int((stop - start) / dt_s) + 1
    jumps = np.zeros(n_steps + 1)
    for t, kind in times:
        jumps[round((t / 1e3 - start) / dt_s)] += v["c_pre"] if kind == 0 else v["c_post"]
    rho = np.repeat([0.0, 1.0], n)
    calcium, decay = 0.0, exp(-dt_s / (v["tau_ca_ms"] / 1e3))
    for i in range(n_steps):
        calcium = calcium * decay + jumps[i]
        above_p, above_d = calcium > v["theta_p"], calcium > v["theta_d"]
        drift = -rho * (1 - rho) * (v["rho_star"] - rho)
        drift += v["gamma_p"] * (1 - rho) * above_p - v["gamma_d"] * rho * above_d
        rho = rho + drift * dt_s / v["tau_s"]
        if above_p or above_d:
            noise = v["sigma"] * np.sqrt((above_p + above_d) * dt_s / v["tau_s"])
            rho += noise * rng.normal(size=2 * n)
    return (rho[:n] > v["rho_star"]).mean(), (rho[n:] < v["rho_star"]).mean()
