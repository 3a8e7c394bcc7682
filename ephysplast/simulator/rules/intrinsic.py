"""The cell's own excitability: postsynaptic firing lowers the rheobase."""

from typing import Final

from ephysplast.simulator.parameter import OPERATIONAL, amplitude, constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations, Variable

INTRINSIC_RULES: Final = (
    Rule(
        name="activity_rheobase",
        family="intrinsic",
        summary="every postsynaptic spike lowers the rheobase by as much",
        equations=TermEquations(
            terms=(Term(on="post", sign=-1, variable="rheobase_pa", amplitude=("fall_pa",)),),
            changed=(Variable(name="rheobase_pa", start="rheobase_start_pa"),),
        ),
        parameters=(
            amplitude(
                "fall_pa",
                0.05,
                unit="pA",
                high=100.0,
                likely=1.0,
                meaning="fall of the rheobase by a postsynaptic spike",
                source="starting value, to be fitted",
                confidence=OPERATIONAL,
            ),
            constant(
                "rheobase_start_pa",
                100.0,
                unit="pA",
                bounds=(0.1, 5000.0),
                likely=(10.0, 500.0),
                meaning="rheobase before; it cannot fall below 0",
                source="measured in the cell",
                confidence=OPERATIONAL,
            ),
        ),
        expression=None,
        source="no published equation",
        confidence=OPERATIONAL,
        note="a count of spikes and no more: a null model for changes of excitability",
    ),
)
