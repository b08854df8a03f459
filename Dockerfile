# syntax=docker/dockerfile:1
# Opsbell in a container: docker build -t opsbell . ; see compose.yaml and docs/operate.md.
FROM rust:1-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends pkg-config libssl-dev gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The words and examples are compiled in; what is not needed stands in .dockerignore.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin opsbell \
    && cp target/release/opsbell /usr/local/bin/opsbell

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 opsbell \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/opsbell --shell /usr/sbin/nologin opsbell \
    && install -d -m 0700 -o opsbell -g opsbell /var/lib/opsbell
COPY --from=build /usr/local/bin/opsbell /usr/local/bin/opsbell
USER opsbell
ENV OPSBELL_CONFIG=/etc/opsbell OPSBELL_DATA=/var/lib/opsbell
VOLUME /var/lib/opsbell
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["opsbell", "health"]
ENTRYPOINT ["opsbell"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--log-format", "json"]
