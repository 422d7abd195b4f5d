"""Figures, from stored datasets and tables alone."""

from pgcore.studies.figures.gradient import gradient_figure as gradient_figure
from pgcore.studies.figures.gradient import gradient_table as gradient_table
from pgcore.studies.figures.learning import learning_figure as learning_figure
from pgcore.studies.figures.style import save_figure as save_figure
