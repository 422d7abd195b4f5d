"""Figures, from stored datasets and tables alone."""

from pgcore.studies.curvature.figures import curvature_figure as curvature_figure
from pgcore.studies.curvature.table import curvature_table as curvature_table
from pgcore.studies.gradient.figures import gradient_figure as gradient_figure
from pgcore.studies.gradient.table import gradient_table as gradient_table
from pgcore.studies.landscape.figures import contour_figure as contour_figure
from pgcore.studies.landscape.page import landscape_page as landscape_page
from pgcore.studies.landscape.surface_figures import is_plane as is_plane
from pgcore.studies.landscape.surface_figures import levels_figure as levels_figure
from pgcore.studies.landscape.surface_figures import sources_figure as sources_figure
from pgcore.studies.landscape.surface_figures import surface_figure as surface_figure
from pgcore.studies.landscape.table import landscape_table as landscape_table
from pgcore.studies.learning_figure import learning_figure as learning_figure
from pgcore.studies.regime.figures import curves_figure as curves_figure
from pgcore.studies.regime.figures import regime_figure as regime_figure
from pgcore.studies.regime.table import regime_table as regime_table
from pgcore.studies.step.claims_table import claims as claims
from pgcore.studies.step.figures import step_figure as step_figure
from pgcore.studies.step.table import step_table as step_table
from pgcore.studies.style import save_figure as save_figure
from pgcore.studies.update.figures import update_figure as update_figure
from pgcore.studies.update.table import update_table as update_table
from pgcore.studies.value.figures import value_figure as value_figure
from pgcore.studies.value.figures import variance_figure as variance_figure
from pgcore.studies.value.table import value_table as value_table
from pgcore.studies.variance.figures import budget_figure as budget_figure
from pgcore.studies.variance.table import variance_table as variance_table
