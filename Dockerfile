# syntax=docker/dockerfile:1
# Not built or run by this project's checks: they lint it, and hold that what it copies and calls exists.

# The page.
FROM node:22-bookworm-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci
COPY web/ ./
RUN npm run build -- --logLevel warn

# The wheel, and those of everything it needs, each held against the lock file.
FROM python:3.12-slim-bookworm AS wheels
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements.lock ./
# hadolint ignore=DL3013 # hatchling too comes from the lock file, by way of /wheels
RUN pip download --no-cache-dir --require-hashes --requirement requirements.lock --dest /wheels \
    && pip install --no-cache-dir --no-index --find-links /wheels hatchling
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
COPY --from=web /build/src/overround/web/static/ src/overround/web/static/
# Only what the service needs, in the locked versions: there are no others to choose from.
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv /opt/overround \
    && /opt/overround/bin/pip install --no-cache-dir --no-index --find-links /wheels overround

FROM python:3.12-slim-bookworm
COPY --from=wheels /opt/overround /opt/overround
# PostgreSQL does not run as root, and nothing else here needs to.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin overround \
    && install --directory --owner overround --group overround --mode 0700 /data
USER 10001:10001
WORKDIR /data
ENV PATH=/opt/overround/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OVERROUND_DATA_DIR=/data \
    OVERROUND_HOST=0.0.0.0 \
    OVERROUND_PORT=8000
# Journal, and the embedded database where no server is named.
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
ENTRYPOINT ["overround"]
CMD ["serve"]
