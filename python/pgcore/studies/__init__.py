"""Studies: plans of cells, their datasets and figures. Nothing else in the package imports this."""

from pgcore.studies.gradient import gradient_quality as gradient_quality
