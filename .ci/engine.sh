# A container engine for the tests that need one, in a place of its own; sourced by `run`.
#
# One that is there is used. Otherwise root starts one, and in CI installs it first. Where none comes up the tests skip
# themselves and are counted.

engine_place=
engine_pid=
podman_place=
podman_pid=

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

# Podman beside it, where it is installed and runs a container.
podman_up() {
    if [[ -n "${FORGESCALE_TEST_PODMAN:-}" || -S /run/podman/podman.sock || "$(id -u)" != 0 ]] ||
        ! { command -v podman && command -v busybox; } >/dev/null; then
        return 0
    fi
    podman_place=$(mktemp -d)
    # With the limits of this shell: where those cannot be raised, the usual ones keep every container from starting.
    printf '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n[network]\nnetwork_backend = "netavark"\n' \
        >"$podman_place/containers.conf"
    # Tests have registries on the loopback, as Docker allows them without being asked.
    printf '[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n' >"$podman_place/registries.conf"
    local runtime=(--runtime runc)
    command -v runc >/dev/null || runtime=()
    podman=(env "CONTAINERS_CONF=$podman_place/containers.conf" "CONTAINERS_REGISTRIES_CONF=$podman_place/registries.conf" podman --root "$podman_place/storage"
        --runroot "$podman_place/runroot" --tmpdir "$podman_place/tmp" --cgroup-manager cgroupfs --events-backend file
        "${runtime[@]}")
    mkdir -p "$podman_place/probe/bin" && cp "$(command -v busybox)" "$podman_place/probe/bin/busybox"
    if ! { tar -C "$podman_place/probe" -c . | timeout 60 "${podman[@]}" import - forgescale-probe &&
        timeout 60 "${podman[@]}" run --rm forgescale-probe /bin/busybox true; } >"$podman_place/log" 2>&1; then
        echo 'the Podman that is installed runs no container here:'
        tail -n 1 "$podman_place/log"
        return 0
    fi
    timeout 60 "${podman[@]}" rmi forgescale-probe >>"$podman_place/log" 2>&1 || true
    "${podman[@]}" system service --time=0 "unix://$podman_place/podman.sock" >>"$podman_place/log" 2>&1 </dev/null &
    podman_pid=$!
    for _ in $(seq 50); do
        if [[ -S "$podman_place/podman.sock" ]]; then
            export FORGESCALE_TEST_PODMAN=unix://$podman_place/podman.sock
            echo 'a Podman was started for the tests'
            return 0
        fi
        sleep 0.2
    done
    echo 'Podman did not come up'
}

engine_down() {
    podman_down
    [[ -n "$engine_pid" ]] || return 0
    kill "$engine_pid" 2>/dev/null || true
    wait "$engine_pid" 2>/dev/null || true
    umount "$engine_place"/exec/netns/* 2>/dev/null || true
    rm -rf "$engine_place" 2>/dev/null || true
}

podman_down() {
    if [[ -n "$podman_pid" ]]; then
        kill "$podman_pid" 2>/dev/null || true
        wait "$podman_pid" 2>/dev/null || true
    fi
    [[ -n "$podman_place" ]] || return 0
    umount "$podman_place"/storage/overlay 2>/dev/null || true
    rm -rf "$podman_place" 2>/dev/null || true
}
