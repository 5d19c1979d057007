"""Where AWS's services answer."""

# Region names begin so in AWS's partitions other than the standard one.
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


def service_url(service: str, region: str) -> str:
    """Return the URL of a service, such as ``logs`` or ``sts``, in a region."""
    suffix = next((suffix for prefix, suffix in _SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")
    return f"https://{service}.{region}.{suffix}"
