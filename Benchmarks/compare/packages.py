"""What is compared comes from Debian's packages. Here they are installed, and the client for etcd is built."""
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
BUILT = os.path.join(REPOSITORY, ".build", "compare")
POLICY = "/usr/sbin/policy-rc.d"

# What has to be there, and the package that brings it.
NEEDS = [
    ("etcd", "etcd-server"),
    ("redis-server", "redis-server"),
    ("redis-benchmark", "redis-tools"),
    ("go", "golang-go"),
    ("/usr/share/gocode/src/go.etcd.io/etcd/clientv3", "golang-etcd-server-dev"),
    ("gcc", "gcc"),
    ("iptables", "iptables"),
]


class Missing(Exception):
    """Something that is compared cannot be run here."""


def find(name):
    """Where a program is; servers may be in folders that are not on the PATH of a user."""
    if name.startswith("/"):
        return name if os.path.exists(name) else None
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def install():
    """Installs what is missing. No service is started, or left enabled, by that."""
    missing = [package for need, package in NEEDS if not find(need)]
    if missing:
        print("installing:", *missing, flush=True)
        prefix = [] if os.getuid() == 0 else ["sudo"]
        if not find("apt-get") or prefix and not find("sudo"):
            raise Missing(f"please install by hand: {' '.join(missing)}")
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        subprocess.run([*apt, "update"], check=False, stdout=subprocess.DEVNULL)
        made = forbid_services(prefix)
        try:
            done = subprocess.run(
                [*apt, "install", "-y", "--no-install-recommends", *missing], stdout=subprocess.DEVNULL)
        finally:
            if made:
                subprocess.run([*prefix, "rm", "-f", POLICY], check=True)
        if done.returncode != 0:
            raise Missing(f"apt-get could not install: {' '.join(missing)}")
        disable_services(prefix, missing)
    still = [package for need, package in NEEDS if not find(need)]
    if still:
        raise Missing(f"not there after installation: {' '.join(still)}")


def forbid_services(prefix):
    """Has packages start no service while they are installed. Returns whether that was left to us."""
    if os.path.exists(POLICY):
        return False
    text = "#!/bin/sh\nexit 101\n"
    subprocess.run([*prefix, "tee", POLICY], input=text, text=True, stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*prefix, "chmod", "755", POLICY], check=True)
    return True


def disable_services(prefix, packages):
    """What was installed for a measurement is not to run after the next boot."""
    if not find("systemctl"):
        return
    for package, service in (("etcd-server", "etcd"), ("redis-server", "redis-server")):
        if package in packages:
            subprocess.run(
                [*prefix, "systemctl", "disable", service], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build():
    """Builds what is ours: the client for etcd, and the counter of allocations. Returns both paths."""
    os.makedirs(BUILT, exist_ok=True)
    etcdload, counter = os.path.join(BUILT, "etcdload"), os.path.join(BUILT, "counting.so")
    environment = dict(
        os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="",
        GOCACHE=os.path.join(BUILT, "go-cache"))
    run([find("go"), "build", "-o", etcdload, "."], os.path.join(HERE, "etcdload"), environment)
    run([find("gcc"), "-O2", "-Wall", "-shared", "-fPIC", "-o", counter, "counting.c"], HERE, dict(os.environ))
    return etcdload, counter


def run(command, folder, environment):
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command)}: {done.stderr.strip()}")


def versions(raftnode):
    """Of everything that is compared, as it tells itself."""
    def first(*command):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().split("\n")[0]

    return {
        "raftnode": first(raftnode, "--version"),
        "etcd": first(find("etcd"), "--version").replace(" Version:", ""),
        "redis": first(find("redis-server"), "--version"),
        "go": first(find("go"), "version"),
        "kernel": first("uname", "-sr"),
        "system": system_name(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
    }


def system_name():
    try:
        with open("/etc/os-release") as lines:
            return next(line.split("=", 1)[1].strip().strip('"') for line in lines if line.startswith("PRETTY_NAME="))
    except (OSError, StopIteration):
        return "unknown"


def processor_name():
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
