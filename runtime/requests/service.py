"""What one request to a model takes: from a run's profile, nothing is simulated again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from softex_mlir.errors import UserError
from softex_mlir.files import read_json

_WANTED = "expected what `softex run --profile` writes"


@dataclass(frozen=True)
class Service:
    """A model on a cluster, at one operating point.

    Attributes:
        seconds: of a request, in which the cluster does nothing else.
        energy_j: of a request, J.
        idle_watts: of a cluster that waits: its clock tree and leakage.
        machine, point: on which, at which operating point.
        estimated: units of it whose limits and cycles no recording covers.
    """

    name: str
    seconds: float
    energy_j: float
    idle_watts: float
    machine: str
    point: str
    estimated: tuple[str, ...] = ()

    @staticmethod
    def of_json(profile: Mapping[str, Any], name: str, source: str) -> Service:
        """From a profile's JSON, at the operating point that it reports.

        Raises:
            UserError: it is no profile, or one of a run of no time.
        """
        try:
            seconds, joules = float(profile["seconds"]), float(profile["energy_j"])
            parts = profile["energy_parts_j"]
            idle = float(parts["base"]) + float(parts["leakage"])
            machine, point = str(profile["machine"]), str(profile["operating_point"]["name"])
            estimated = tuple(map(str, profile.get("validity_estimated", ())))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{source}: {_WANTED}, found no {error}") from error
        if not (0 < seconds < float("inf") and 0 <= idle <= joules < float("inf")):
            raise UserError(
                f"{source}: {_WANTED}, found a run of {seconds:g} s and {joules:g} J, of which "
                f"{idle:g} J of the clock tree and leakage"
            )
        return Service(name, seconds, joules, idle / seconds, machine, point, estimated)


def read_service(path: Path) -> Service:
    """From the file of a profile.

    Raises:
        UserError: it cannot be read, or is none.
    """
    try:
        found = read_json(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read the profile: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {_WANTED}: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: {_WANTED}, found no JSON object")
    return Service.of_json(cast("dict[str, Any]", found), path.stem, str(path))


def check_alike(services: list[Service]) -> None:
    """Find out whether the models can share clusters.

    Raises:
        UserError: they ran on different machines or at different points, or share a name.
    """
    first = services[0]
    for other in services[1:]:
        mine, theirs = (first.machine, first.point), (other.machine, other.point)
        if mine != theirs:
            raise UserError(
                f"clusters are alike: expected runs on one machine at one operating point, found "
                f"{' at '.join(mine)} ({first.name}) and {' at '.join(theirs)} ({other.name})"
            )
    names = [service.name for service in services]
    if len(set(names)) < len(names):
        raise UserError(f"models need different names, found {', '.join(names)}")
