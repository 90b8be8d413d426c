"""The same mocks by halotools, whose composite model the published training sets were made with."""

import warnings
from typing import Any

import numpy as np

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._catalogue import Halos, Real
from ._mocks import OCCUPATIONS, Galaxies, parameters
from ._region import PARAMETERS


def halotools_model(theta: Any, box: float, *, occupation: str = "published") -> Any:
    """halotools' composite model: Zheng07 centrals and satellites, NFW phase space, centrals along the halo, satellites along the radius.

    * `theta`: the seven numbers, by name or in the order of `PARAMETERS`. `box`: side, Mpc/h. `occupation`: see `mean_occupation`.
    """
    numbers = parameters(theta)
    if occupation not in OCCUPATIONS:
        raise OrbitscopeError(f"occupation: should be one of {', '.join(OCCUPATIONS)}, got {occupation!r}.")
    try:
        import halotools  # noqa: F401
    except ImportError as error:
        raise OrbitscopeError("galaxies: these mocks need halotools. Install it with: pip install 'orbitscope[cosmo]'.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that satellites multiplied by centrals share their numbers
        return _model(numbers, box, occupation)


def _model(numbers: Real, box: float, occupation: str) -> Any:
    from halotools.empirical_models import HodModelFactory, NFWPhaseSpace, TrivialPhaseSpace, Zheng07Cens, Zheng07Sats
    from halotools.empirical_models.ia_models.ia_model_components import CentralAlignment, RadialSatelliteAlignment

    centrals = Zheng07Cens()
    product = {"modulate_with_cenocc": True, "cenocc_model": centrals} if occupation == "product" else {}
    model = HodModelFactory(
        centrals_occupation=centrals,
        centrals_profile=TrivialPhaseSpace(),
        satellites_occupation=Zheng07Sats(**product),
        satellites_profile=NFWPhaseSpace(conc_mass_model="direct_from_halo_catalog"),
        centrals_orientation=CentralAlignment(central_alignment_strength=numbers[0]),
        satellites_orientation=RadialSatelliteAlignment(satellite_alignment_strength=numbers[1], Lbox=np.repeat(box, 3)),
        model_feature_calling_sequence=(
            "centrals_occupation", "centrals_profile", "satellites_occupation", "satellites_profile", "centrals_orientation",
            "satellites_orientation",
        ),
    )  # fmt: skip
    model.param_dict.update(dict(zip(PARAMETERS[2:], numbers[2:], strict=True)))
    model.param_dict["central_alignment_strength"], model.param_dict["satellite_alignment_strength"] = numbers[0], numbers[1]
    return model


def halotools_catalogue(halos: Halos) -> Any:
    """Halos as halotools wants them: a `UserSuppliedHaloCatalog` with the columns of positions, masses, radii, concentrations, long axes.

    * `halos`: with shapes.
    """
    if halos.axis is None:
        raise OrbitscopeError("halotools_catalogue: these halos have no shapes. Read a catalogue with long axes.")
    from halotools.sim_manager import UserSuppliedHaloCatalog

    number = np.arange(len(halos))
    zero = np.zeros(len(halos))
    columns = {f"halo_{c}": halos.positions[:, k] for k, c in enumerate("xyz")} | {f"halo_v{c}": zero for c in "xyz"}
    columns |= {f"halo_axisA_{c}": halos.axis[:, k] for k, c in enumerate("xyz")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return UserSuppliedHaloCatalog(
            redshift=float(halos.about.get("redshift", 0.0)), Lbox=halos.box, particle_mass=1e8, halo_mvir=halos.mass,
            halo_rvir=halos.radius, halo_nfw_conc=halos.concentration, halo_id=number, halo_hostid=number,
            halo_upid=np.full_like(number, -1), **columns,
        )  # fmt: skip


def populate_halotools(halos: Halos, theta: Any, seed: int = 0, *, occupation: str = "published", index: int = 0) -> Galaxies:
    """One realisation by halotools; what `populate` should agree with in distribution.

    * `halos`: with shapes. `theta`: the seven numbers. `seed`, `index`: of the draws. `occupation`: see `mean_occupation`.

    halotools draws from numpy's global generator, which is set for this call and put back.
    """
    model, catalogue = halotools_model(theta, halos.box, occupation=occupation), halotools_catalogue(halos)
    state = np.random.get_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that strengths are not in the table at every call
            start = derive(seed, "galaxies halotools", index) % 2**32
            np.random.seed(start)
            model.populate_mock(catalogue, seed=start)
    finally:
        np.random.set_state(state)
    table = model.mock.galaxy_table

    def three(name: str) -> Real:
        return np.stack([np.asarray(table[f"{name}{c}"], dtype=np.float64) for c in "xyz"], -1)

    central = np.asarray(table["gal_type"]) == "centrals"
    return Galaxies(np.mod(three(""), halos.box), three("galaxy_axisA_"), np.asarray(table["halo_id"], dtype=np.int64), central, halos.box)
