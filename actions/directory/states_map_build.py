"""Build ``data/places/states_map.csv``: the 16 states as SVG paths, drawn from places whose state is known.

Run by hand, not needed in operation: ``python -m actions.directory.states_map_build POSTCODES [PLACES]``. POSTCODES is
the table that ``places_build`` takes; PLACES is the folder ``data/places``, whose towns make the borders finer. Needs
numpy and shapely (2.1 or newer); the project does not install shapely. The places derive from GeoNames (CC BY 4.0).

Every place owns the land that is nearest to it (a Voronoi cell); the cells of a state make its area. The outer border is
a hull around the places. Borders are smoothed as lines, once for both neighbours, so that no gaps arise.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from itertools import pairwise
from math import cos, radians
from pathlib import Path
from typing import Any, Dict, List, Tuple

WIDTH, HEIGHT, MARGIN = 600, 800, 4
KM_SOUTH, KM_EAST = -111.2, 111.2 * cos(radians(51))
# How far (km) the land reaches beyond the outermost places.
SHORE_KM = 3.0
# Triangles of places are land up to this circumradius (km): smaller at the coast, where bays must stay open.
INLAND_KM, COAST_KM = 16.0, 8.0
# What the places do not show, by hand in degrees: the North Sea and straits, then islands; lines get a width (km to either side).
SEA_KM, ISLAND_KM = 1.2, 1.9
SEA = (
    "GEOMETRYCOLLECTION (POLYGON ((6 53.4, 6.95 53.36, 6.98 53.51, 7.10 53.66, 7.36 53.71, 7.81 53.73, 8.06 53.72, 8.17 53.53,"
    "8.12 53.44, 8.24 53.42, 8.31 53.46, 8.22 53.54, 8.28 53.64, 8.42 53.59, 8.50 53.50, 8.52 53.54, 8.46 53.65, 8.48 53.75,"
    "8.55 53.88, 8.70 53.91, 8.95 53.87, 9.12 53.87, 8.83 54.03, 8.80 54.13, 8.56 54.28, 8.56 54.35, 8.66 54.41, 8.95 54.45,"
    "8.78 54.47, 8.82 54.56, 8.80 54.62, 8.66 54.73, 8.60 54.87, 8.62 55.1, 6 55.1, 6 53.4)),"
    "LINESTRING (9.12 53.87, 9.30 53.85, 9.41 53.78), LINESTRING (10.95 54.42, 11.11 54.395, 11.28 54.385),"
    "LINESTRING (13.03 54.44, 13.10 54.34, 13.17 54.27, 13.36 54.21, 13.55 54.20), LINESTRING (13.72 54.18, 13.80 54.05, 13.84 53.93,"
    "13.89 53.86, 14.05 53.80, 14.35 53.78))"
)
ISLANDS = (
    "MULTILINESTRING ((8.42 55.04, 8.34 54.93, 8.30 54.86, 8.29 54.77), (8.32 54.89, 8.44 54.88),"  # Sylt
    "(8.31 54.68, 8.35 54.64), (8.44 54.725, 8.53 54.71), (8.60 54.52, 8.67 54.52),"  # Amrum, Föhr, Pellworm
    "(7.88 54.19, 7.91 54.18), (6.67 53.59, 6.75 53.60), (6.92 53.675, 7.03 53.685),"  # Helgoland, Borkum, Juist
    "(7.17 53.715, 7.27 53.72), (7.45 53.75, 7.57 53.765), (7.70 53.785, 7.76 53.79),"  # Norderney, Langeoog, Spiekeroog
    "(7.88 53.80, 7.95 53.80), (13.12 54.60, 13.10 54.50),"  # Wangerooge, Hiddensee
    "(11.03 54.45, 11.08 54.51, 11.24 54.50, 11.27 54.43, 11.08 54.46, 11.15 54.48, 11.24 54.46),"  # Fehmarn
    "(8.31 53.57, 8.40 53.55, 8.35 53.52, 8.43 53.49, 8.38 53.46, 8.42 53.42, 8.38 53.36))"  # Butjadingen, too empty for the hull
)
# Smaller parts of a state (km²) inside another state are errors of the tables; smaller islands are not drawn.
EXCLAVE_KM2, ISLAND_KM2 = 70.0, 15.0
# How much (km) a border is straightened before its corners are rounded.
SIMPLIFY_KM = 1.6


def read_places(postcodes: Path, folder: Path) -> Dict[Tuple[float, float], str]:
    """Return the state of every position (km east, km south) that carries a postcode or a town."""

    def rows(path: Path) -> List[Dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    states = {row["ags"]: row["state"] for row in rows(folder / "states.csv")}
    places: Dict[Tuple[float, float], str] = {}
    for row in [*rows(postcodes), *rows(folder / "towns.csv")]:
        if row.get("large_recipient") != "1":
            position = float(row["longitude"]) * KM_EAST, float(row["latitude"]) * KM_SOUTH
            places.setdefault(position, row.get("state") or states[row["district"][:2]])
    return places


def outline(places: Dict[Tuple[float, float], str]) -> Any:
    """Return the land: a concave hull of the places with a strip of shore, without holes; islands and sea as set by hand."""
    import numpy as np
    import shapely

    triangles = np.array(shapely.delaunay_triangles(shapely.MultiPoint(list(places))).geoms)
    corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)
    edges = np.linalg.norm(np.diff(corners, axis=1), axis=2)
    limit = np.where(corners[:, :3, 1].mean(axis=1) / KM_SOUTH < 53.3, INLAND_KM, COAST_KM)
    hull = shapely.union_all(triangles[edges.prod(axis=1) / (4 * shapely.area(triangles)) < limit])
    rounded = hull.buffer(SHORE_KM + 3).buffer(-6.2).buffer(3.2)
    filled = [shapely.Polygon(part.exterior) for part in shapely.get_parts(rounded)]
    lines = shapely.transform(shapely.from_wkt([ISLANDS, SEA]), lambda degrees: degrees * (KM_EAST, KM_SOUTH))
    islands, sea = shapely.buffer(lines, [ISLAND_KM, SEA_KM])
    parts = shapely.get_parts(shapely.union_all(filled).difference(sea).union(islands))
    return shapely.MultiPolygon([part for part in parts if part.area >= ISLAND_KM2])


def areas(places: Dict[Tuple[float, float], str], land: Any) -> Dict[str, Any]:
    """Return the area of every state; places in stray parts of a state are left out, so that their land falls to the neighbour."""
    import shapely

    cells = shapely.voronoi_polygons(shapely.MultiPoint(list(places)), extend_to=land.buffer(50), ordered=True)
    by_state: Dict[str, List[Any]] = defaultdict(list)
    for state, cell in zip(places.values(), cells.geoms, strict=True):
        by_state[state].append(cell)
    states = {state: shapely.union_all(parts) for state, parts in by_state.items()}
    stray = shapely.union_all([part for area in states.values() for part in shapely.get_parts(area) if part.area < EXCLAVE_KM2])
    shapely.prepare(stray)
    kept = {place: state for place, state in places.items() if not stray.contains(shapely.Point(place))}
    return areas(kept, land) if len(kept) < len(places) else {state: area.intersection(land) for state, area in states.items()}


def draw(states: Dict[str, Any]) -> Dict[str, Any]:
    """Return the states in the coordinates of the picture, smoothed (Chaikin); neighbours share every point of their border."""
    import shapely

    curves = []
    for line in shapely.get_parts(shapely.line_merge(shapely.union_all([area.boundary for area in states.values()]))):
        points = list(line.simplify(SIMPLIFY_KM).coords)
        for _ in range(2):
            cut = [(p[0] * w + q[0] * (1 - w), p[1] * w + q[1] * (1 - w)) for p, q in pairwise(points) for w in (0.75, 0.25)]
            points = [*cut, cut[0]] if line.is_ring else [points[0], *cut[1:-1], points[-1]]
        curves.append(shapely.LineString(points))
    west, north, east, south = shapely.total_bounds(curves)
    scale = min((WIDTH - 2 * MARGIN) / (east - west), (HEIGHT - 2 * MARGIN) / (south - north))
    shift = (WIDTH - scale * (east + west)) / 2, (HEIGHT - scale * (south + north)) / 2
    network = shapely.union_all(shapely.transform(curves, lambda km: km * scale + shift), grid_size=1)
    found: Dict[str, List[Any]] = defaultdict(list)
    for face in shapely.get_parts(shapely.polygonize([network])):
        origin = shapely.transform(face, lambda picture: (picture - shift) / scale)
        shares = {state: origin.intersection(area).area for state, area in states.items()}
        if sum(shares.values()) > origin.area / 2:
            found[max(shares, key=lambda state: shares[state])].append(face)
    return {state: shapely.union_all(faces) for state, faces in found.items()}


def row(state: str, area: Any) -> Tuple[str, str, int, int]:
    """Return a row of the table: the state, its path (a closed run of relative steps for every ring), the point for its label."""
    import shapely

    path = ""
    for ring in (ring for part in shapely.get_parts(area) for ring in (part.exterior, *part.interiors)):
        points = [(round(x), round(y)) for x, y in ring.simplify(0).coords[:-1]]
        steps = " ".join(f"{x - a} {y - b}" for (a, b), (x, y) in pairwise(points))
        path += f"M{points[0][0]} {points[0][1]}l{steps.replace(' -', '-')}z"
    largest = max(shapely.get_parts(area), key=lambda part: part.area)
    inmost, middle = shapely.maximum_inscribed_circle(largest, tolerance=1), largest.centroid
    if not largest.contains(middle) or largest.boundary.distance(middle) < 0.6 * inmost.length:
        middle = shapely.Point(inmost.coords[0])
    return state, path, round(middle.x), round(middle.y)


if __name__ == "__main__":
    target = Path(sys.argv[2] if len(sys.argv) > 2 else "data/places")
    known = read_places(Path(sys.argv[1]), target)
    with (target / "states_map.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["state", "path", "label_x", "label_y"])
        writer.writerows(row(*item) for item in sorted(draw(areas(known, outline(known))).items()))
