"""Figures, from stored datasets and tables alone."""

from pgcore.studies.figures.gradient import gradient_figure as gradient_figure
from pgcore.studies.figures.gradient import gradient_table as gradient_table
from pgcore.studies.figures.learning import learning_figure as learning_figure
from pgcore.studies.figures.style import save_figure as save_figure
from pgcore.studies.figures.value import value_figure as value_figure
from pgcore.studies.figures.value import value_table as value_table
from pgcore.studies.figures.value import variance_figure as variance_figure
