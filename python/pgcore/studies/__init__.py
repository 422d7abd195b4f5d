"""Studies: plans of cells, their datasets and figures."""

from pgcore.studies.catalog import STUDIES as STUDIES
from pgcore.studies.engine.cells import StudyError as StudyError

gradient_quality = STUDIES["gradient"].measure
value_prediction = STUDIES["value"].measure
landscape = STUDIES["landscape"].measure
update_steps = STUDIES["step"].measure
update_paths = STUDIES["update"].measure
sample_regime = STUDIES["regime"].measure
curvature_subspaces = STUDIES["curvature"].measure
variance_budget = STUDIES["variance"].measure
