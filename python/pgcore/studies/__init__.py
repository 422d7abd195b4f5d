"""Studies: plans of cells, their datasets and figures. Only the command line imports this."""

from pgcore.studies.engine.cells import StudyError as StudyError
from pgcore.studies.gradient.study import gradient_quality as gradient_quality
from pgcore.studies.landscape.study import landscape as landscape
from pgcore.studies.value.study import value_prediction as value_prediction
