# The root file system of the managed plugin: Python, the plugin, and what it needs to run. `make plugin` turns the
# image into a plugin. Any Debian-based image with Python 3.11 to 3.14 will do as BASE.
ARG BASE=python:3.14-slim
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS toolchain
RUN set -eu; \
    headers=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")'); \
    packages=; \
    command -v cc >/dev/null || packages="gcc libc6-dev"; \
    test -e "$headers" || packages="$packages libpython3-dev"; \
    if [ -n "$packages" ]; then \
        apt-get update; \
        apt-get install --yes --no-install-recommends $packages; \
        rm -rf /var/lib/apt/lists/*; \
    fi

FROM toolchain AS build
# Two environments, so that the one that is shipped never holds pip or a build tool. All that comes from a registry is
# pinned by its hash, build tools as well.
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/peavey
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_PROGRESS_BAR=off PEAVEY_COMPILED=1
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN /opt/tools/bin/pip install --no-deps --require-hashes --requirement requirements-build.lock && \
    /opt/tools/bin/pip --python /opt/peavey/bin/python install --no-deps --require-hashes --requirement requirements.lock
COPY . ./
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . && \
    /opt/tools/bin/pip --python /opt/peavey/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
RUN set -eu; \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    if python3 -m pip --version >/dev/null 2>&1; then PIP_ROOT_USER_ACTION=ignore python3 -m pip uninstall --yes pip; fi; \
    rm -rf "$stdlib/ensurepip" /usr/share/python-wheels
COPY --from=build /opt/peavey /opt/peavey
# Shows that the image works, and leaves the standard library's modules byte-compiled, so that the plugin starts fast.
RUN /opt/peavey/bin/python -m plugin --help
ENTRYPOINT ["/opt/peavey/bin/peavey"]
CMD ["serve"]
