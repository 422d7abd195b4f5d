"""Figures, from stored datasets and tables alone."""

from pgcore.studies.figures.gradient import gradient_figure as gradient_figure
from pgcore.studies.figures.gradient import gradient_table as gradient_table
from pgcore.studies.figures.landscape import contour_figure as contour_figure
from pgcore.studies.figures.landscape import is_plane as is_plane
from pgcore.studies.figures.landscape import sources_figure as sources_figure
from pgcore.studies.figures.landscape import surface_figure as surface_figure
from pgcore.studies.figures.landscape_page import landscape_page as landscape_page
from pgcore.studies.figures.landscape_table import landscape_table as landscape_table
from pgcore.studies.figures.learning import learning_figure as learning_figure
from pgcore.studies.figures.style import save_figure as save_figure
from pgcore.studies.figures.value import value_figure as value_figure
from pgcore.studies.figures.value import value_table as value_table
from pgcore.studies.figures.value import variance_figure as variance_figure
