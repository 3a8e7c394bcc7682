"""Final weights by Brian2, for tests to compare with; runs in an environment of its own (brian2 needs numpy < 2.4).

    python -m venv venv_brian2 && venv_brian2/bin/python -m pip install "numpy<2.4" "brian2>=2.9,<3"
    EPHYSPLAST_BRIAN2_PYTHON=venv_brian2/bin/python pytest tests/simulator tests/benchmarks

Reads a JSON object from standard input and writes one to standard output:

    {"dt_ms": 0.1, "pre_ms": [...], "post_ms": [...], "target": "numpy" | "auto",
     "rules": [{"rule": "triplet", "n": 3, "parameters": {"tau_plus_ms": [...], ...}}, ...]}
    → {"weights": [[...], ...], "seconds": 1.2}

Spike times are multiples of dt. `seconds` is the time of the run alone, without compilation.
"""

import json
import sys
import time

import numpy as np
from brian2 import Network, SpikeGeneratorGroup, Synapses, defaultclock, ms, prefs

MODELS = {
    "pair": {
        "traces": {"r1": "tau_plus_ms", "o1": "tau_minus_ms"},
        "constants": ("a_plus", "a_minus"),
        "on_pre": "w = clip(w - a_minus * o1, 0, 1e9); r1 += 1",
        "on_post": "w = clip(w + a_plus * r1, 0, 1e9); o1 += 1",
    },
    "triplet": {
        "traces": {"r1": "tau_plus_ms", "r2": "tau_x_ms", "o1": "tau_minus_ms", "o2": "tau_y_ms"},
        "constants": ("a2_plus", "a3_plus", "a2_minus", "a3_minus"),
        "on_pre": "w = clip(w - o1 * (a2_minus + a3_minus * r2), 0, 1e9); r1 += 1; r2 += 1",
        "on_post": "w = clip(w + r1 * (a2_plus + a3_plus * o2), 0, 1e9); o1 += 1; o2 += 1",
    },
    "vogels": {
        "traces": {"x": "tau_ms", "y": "tau_ms"},
        "constants": ("eta", "rho0_hz"),
        "on_pre": "w = clip(w + eta * (y - 2 * rho0_hz * tau_ms / second), 0, 1e9); x += 1",
        "on_post": "w = clip(w + eta * x, 0, 1e9); y += 1",
    },
}


def synapses(pre, post, request):
    model = MODELS[request["rule"]]
    taus = sorted(set(model["traces"].values()))
    equations = ["w : 1"]
    equations += [f"d{name}/dt = -{name}/{tau} : 1 (event-driven)" for name, tau in model["traces"].items()]
    equations += [f"{tau} : second (constant)" for tau in taus]
    equations += [f"{name} : 1 (constant)" for name in model["constants"]]
    # Both cells firing in one step: the presynaptic spike comes first.
    made = Synapses(
        pre,
        post,
        "\n".join(equations),
        on_pre=model["on_pre"].replace("; ", "\n"),
        on_post=model["on_post"].replace("; ", "\n"),
        order={"pre": 0, "post": 1},
        method="exact",
    )
    made.connect(i=np.zeros(request["n"], dtype=int), j=np.zeros(request["n"], dtype=int))
    made.w = 1.0
    for tau in taus:
        setattr(made, tau, np.asarray(request["parameters"][tau]) * ms)
    for name in model["constants"]:
        setattr(made, name, np.asarray(request["parameters"][name]))
    return made


def main():
    request = json.load(sys.stdin)
    prefs.codegen.target = request["target"]
    defaultclock.dt = request["dt_ms"] * ms
    groups = [
        SpikeGeneratorGroup(1, np.zeros(len(times), dtype=int), np.asarray(times) * ms)
        for times in (request["pre_ms"], request["post_ms"])
    ]
    made = [synapses(*groups, each) for each in request["rules"]]
    network = Network(*groups, *made)
    network.store()
    network.run(2 * request["dt_ms"] * ms)  # compiles everything
    network.restore()
    start = time.perf_counter()
    network.run((max(request["pre_ms"] + request["post_ms"]) + 5 * request["dt_ms"]) * ms)
    seconds = time.perf_counter() - start
    json.dump({"weights": [np.asarray(each.w[:]).tolist() for each in made], "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
