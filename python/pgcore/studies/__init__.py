"""Studies: plans of cells, their datasets and figures. Only the command line imports this."""

from pgcore.studies.cells import StudyError as StudyError
from pgcore.studies.gradient import gradient_quality as gradient_quality
from pgcore.studies.landscape import landscape as landscape
from pgcore.studies.value import value_prediction as value_prediction
