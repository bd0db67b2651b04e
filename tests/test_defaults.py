"""A default has one home: what a function takes where nothing is said is what the config takes."""

import importlib
import inspect
import pkgutil

import pytest

from lsd.spec import (
    Boundary,
    Descriptors,
    Evaluate,
    Fragments,
    InteriorBoundary,
    Mutex,
    Objects,
    Occupancy,
    Predict,
    Segment,
    Semantic,
    SignedDistance,
    Spec,
)
from lsd.spec.kinds import Kind

ROOMS = ("targets", "segmentation", "evaluation", "prediction")
OBJECTS = (Occupancy, InteriorBoundary, SignedDistance, Semantic)
SPECS = (Descriptors, Boundary, *OBJECTS, Fragments, Mutex, Objects, Segment, Evaluate, Predict)

# other things of the same name, and why
OTHERS = {
    "dtype": "of arrays in memory, which are exact; the config's is of files",
    "device": "None: the cores, by numba; 'auto' of the config is torch's",
    "average_precision.thresholds": "of overlap; the config's are of joining",
    "VolumeScores.__init__.sites": "sites that were found; the config's is how many are told",
    "AlongSkeletons.__init__.sites": "as of VolumeScores",
    "Evaluation.__init__.heads": "scores that were found, by name; the config's names heads",
}


def _functions():
    for room in ROOMS:
        package = importlib.import_module(f"lsd.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            loaded = importlib.import_module(module.name)
            for value in vars(loaded).values():
                if getattr(value, "__module__", None) != module.name:
                    continue
                if inspect.isfunction(value):
                    yield value
                elif inspect.isclass(value):
                    yield from (
                        method for method in vars(value).values() if inspect.isfunction(method)
                    )


def _pairs():
    """(function, parameter, its default, defaults of the fields of this name); sections of the
    config are no values."""
    for function in _functions():
        for name, parameter in inspect.signature(function).parameters.items():
            fields = [
                spec.model_fields[name].get_default() for spec in SPECS if name in spec.model_fields
            ]
            homes = [value for value in fields if not isinstance(value, Spec)]
            if (
                homes
                and parameter.default is not parameter.empty
                and not {name, f"{function.__qualname__}.{name}"} & OTHERS.keys()
            ):
                yield pytest.param(
                    name,
                    parameter.default,
                    homes,
                    id=f"{function.__module__}.{function.__qualname__}-{name}",
                )


@pytest.mark.parametrize(("name", "default", "homes"), list(_pairs()))
def test_functions_and_the_config_agree(name, default, homes) -> None:
    assert default in homes, name


def test_the_functions_of_a_notebook_are_among_them() -> None:
    """Each with every field of its own spec, so that none agrees by the spec of another."""
    from lsd.evaluation.partition import compare, score
    from lsd.evaluation.sweep import best_threshold
    from lsd.segmentation.agglomeration import agglomerate
    from lsd.segmentation.fragments import fragments
    from lsd.segmentation.kernels.linkage import linkage
    from lsd.segmentation.mutex import mutex
    from lsd.segmentation.objects import objects
    from lsd.targets.boundary import boundary
    from lsd.targets.descriptors import descriptors
    from lsd.targets.interior_boundary import interior_boundary
    from lsd.targets.occupancy import occupancy
    from lsd.targets.semantic import semantic
    from lsd.targets.signed_distance import signed_distance

    homes = {
        fragments: (Fragments, set(Fragments.model_fields)),
        mutex: (Mutex, set(Mutex.model_fields)),
        objects: (Objects, set(Objects.model_fields)),
        agglomerate: (Segment, {"scoring", "caution", "cautious_above"}),
        linkage: (Segment, {"caution"}),
        descriptors: (Descriptors, {"downsample", "components", "mode"}),
        boundary: (Boundary, {"width"}),
        occupancy: (Occupancy, {"mode"}),
        interior_boundary: (InteriorBoundary, {"width"}),
        signed_distance: (SignedDistance, {"reach"}),
        semantic: (Semantic, {"ignore"}),
        compare: (Evaluate, {"ignore", "background"}),
        score: (Evaluate, {"ignore", "background"}),
        best_threshold: (Evaluate, {"tolerance"}),
    }
    for function, (spec, names) in homes.items():
        parameters = inspect.signature(function).parameters
        for name in names:
            default = spec.model_fields[name].get_default()
            # functions take a kind by its name
            wanted = default.to_name() if isinstance(default, Kind) else default
            assert parameters[name].default == wanted, (function, name)
    assert inspect.signature(linkage).parameters["above"].default == Segment().cautious_above
    assert len(list(_pairs())) >= 30
