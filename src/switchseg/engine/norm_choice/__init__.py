"""Which norm do these data want: short trainings with each of some, and what can be told from their scores."""

from switchseg.engine.norm_choice.candidate import Result
from switchseg.engine.norm_choice.choice import CANDIDATES, Choice, choose_norm
from switchseg.engine.norm_choice.verdict import Verdict, decide

__all__ = ["CANDIDATES", "Choice", "Result", "Verdict", "choose_norm", "decide"]
