"""How fast a model is here, told so that nothing flatters: engine, pipeline and camera to result, with their spread."""
from wholebody.runtime.profile.comparing import Change, compare_profiles, regressions
from wholebody.runtime.profile.profiling import ProfileOptions, profile_model
from wholebody.runtime.profile.schema import read_profile
from wholebody.runtime.profile.sweep import Sweep

__all__ = ["Change", "ProfileOptions", "Sweep", "compare_profiles", "profile_model", "read_profile", "regressions"]
