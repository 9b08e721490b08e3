# A container engine for the tests that need one, in a place of its own; sourced by `run`.
#
# One that is there is used. Otherwise root starts one, and in CI installs it first. Where none comes up the tests skip
# themselves and are counted.

engine_place=
engine_pid=

engine_up() {
    if [[ -n "${FORGESCALE_TEST_DOCKER:-}" || -S /var/run/docker.sock || "$(id -u)" != 0 ]]; then
        return 0
    fi
    if ! { command -v dockerd && command -v iptables && command -v busybox; } >/dev/null && [[ "${CI:-}" == true ]]; then
        # At this run level no package starts its service.
        { timeout 120 apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive timeout 240 apt-get install -y -qq \
            --no-install-recommends docker.io iptables busybox-static; } >/dev/null 2>&1 || true
    fi
    command -v dockerd >/dev/null || return 0
    engine_place=$(mktemp -d)
    local socket=$engine_place/docker.sock
    dockerd --data-root "$engine_place/data" --exec-root "$engine_place/exec" --pidfile "$engine_place/pid" \
        --host "unix://$socket" --group "$(id -g)" >"$engine_place/log" 2>&1 </dev/null &
    engine_pid=$!
    for _ in $(seq 150); do
        if ! kill -0 "$engine_pid" 2>/dev/null; then
            echo 'the container engine does not start here:'
            tail -n 3 "$engine_place/log"
            return 0
        fi
        if [[ -S "$socket" ]] && grep -q 'API listen on' "$engine_place/log"; then
            if engine_runs "unix://$socket"; then
                export FORGESCALE_TEST_DOCKER=unix://$socket
                echo 'a container engine was started for the tests'
            else
                echo 'the container engine that was started runs no container here'
            fi
            return 0
        fi
        sleep 0.2
    done
    echo 'the container engine did not come up'
}

# Whether an engine runs a container at all: not every place where it starts lets it.
engine_runs() {
    local place
    place=$(mktemp -d)
    mkdir "$place/bin" && cp "$(command -v busybox)" "$place/bin/busybox"
    tar -C "$place" -c . | docker --host "$1" import - forgescale-probe >/dev/null 2>&1 &&
        timeout 60 docker --host "$1" run --rm forgescale-probe /bin/busybox true >>"$engine_place/log" 2>&1
    local outcome=$?
    docker --host "$1" rmi forgescale-probe >/dev/null 2>&1 || true
    rm -rf "$place"
    return "$outcome"
}

engine_down() {
    [[ -n "$engine_pid" ]] || return 0
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    umount "$engine_place"/exec/netns/* 2>/dev/null || true
    rm -rf "$engine_place" 2>/dev/null || true
}
