#!/bin/sh
# Makes the passwords of compose.yaml, once: infra/.env, which is ignored by git and which its owner alone can read.
set -eu
umask 077

cd "$(dirname "$0")/.."
if [ -e .env ]; then
    echo "infra/.env is there already; remove it, and the volumes of broker and Grafana, for other passwords" >&2
    exit 0
fi
secret() {
    head -c 32 /dev/urandom | od -A n -t x1 | tr -d ' \n'
}
{
    echo "BROKER_PASSWORD=$(secret)"
    echo "BUCKET_SECRET_KEY=$(secret)"
    echo "DASHBOARD_TOKEN=$(secret)"
    echo "GRAFANA_PASSWORD=$(secret)"
} > .env.new
mv .env.new .env
echo "infra/.env: the dashboard asks for its DASHBOARD_TOKEN, Grafana for user admin with its GRAFANA_PASSWORD"
