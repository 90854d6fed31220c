"""The files in tools/package/kubernetes fit Kubernetes' own schemas, each other, the image, and what a relay takes."""

import json
import pathlib
import re
import subprocess
import unittest

import foreign
import harness

PACKAGE = foreign.HERE.parents[2] / "tools" / "package"
FOLDER = PACKAGE / "kubernetes"
VERSION = "1.31"
# Of other projects: Kubernetes' schemas do not know them.
OTHERS = {"Kustomization", "ServiceMonitor"}
# Reads all documents of a file; strict: an unknown field is an error.
READ = """
import json, sys, yaml, kubernetes_validate
documents = list(yaml.safe_load_all(open(sys.argv[1])))
for document in documents:
    if document["kind"] not in sys.argv[3:]:
        kubernetes_validate.validate(document, sys.argv[2], strict=True)
print(json.dumps(documents))
"""


def setUpModule():
    foreign.need(foreign.python("kubernetes-validate"))


def read(path):
    done = subprocess.run([foreign.PYTHON, "-c", READ, path, VERSION, *OTHERS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (path, done.stderr)
    return json.loads(done.stdout)


def image_value(name):
    """A constant of tools/package/image."""
    return re.search(rf'^{name} = "?([^"\n#]+?)"?(?:\s+#.*)?$', (PACKAGE / "image").read_text(), re.MULTILINE).group(1)


class Kubernetes(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.documents = {path.relative_to(FOLDER).as_posix(): read(path) for path in sorted(FOLDER.rglob("*.yaml"))}
        cls.relay = cls.documents["relay/statefulset.yaml"][0]["spec"]
        cls.sidecar = cls.documents["sidecar/pod.yaml"][0]["spec"]

    def test_every_file_is_there_and_valid(self):
        self.assertGreaterEqual(set(self.documents), {"relay/statefulset.yaml", "relay/service.yaml", "sidecar/pod.yaml"})
        named = self.documents["relay/kustomization.yaml"][0]["resources"]
        files = {path.name for path in (FOLDER / "relay").glob("*.yaml")} - {"kustomization.yaml", "servicemonitor.yaml"}
        self.assertEqual(set(named), files)

    def test_selectors_and_ports_meet(self):
        labels = self.relay["template"]["metadata"]["labels"]
        ports = {port["name"] for port in self.relay["template"]["spec"]["containers"][0]["ports"]}
        service = self.documents["relay/service.yaml"][0]
        for selector in (self.relay["selector"]["matchLabels"], service["spec"]["selector"],
                         self.documents["relay/poddisruptionbudget.yaml"][0]["spec"]["selector"]["matchLabels"],
                         self.documents["relay/networkpolicy.yaml"][0]["spec"]["podSelector"]["matchLabels"]):
            self.assertLessEqual(selector.items(), labels.items())
        self.assertLessEqual({port["targetPort"] for port in service["spec"]["ports"]}, ports)
        self.assertEqual(self.relay["serviceName"], service["metadata"]["name"])
        monitored = self.documents["relay/servicemonitor.yaml"][0]["spec"]
        self.assertLessEqual(monitored["selector"]["matchLabels"].items(), service["metadata"]["labels"].items())
        self.assertLessEqual({one["port"] for one in monitored["endpoints"]}, {port["name"] for port in service["spec"]["ports"]})

    def test_both_run_without_rights_as_the_image_expects(self):
        user = int(image_value("USER"))
        for pod, containers in ((self.relay["template"]["spec"], self.relay["template"]["spec"]["containers"]),
                                (self.sidecar, self.sidecar["initContainers"] + self.sidecar["containers"])):
            context = pod["securityContext"]
            self.assertEqual((context["runAsNonRoot"], context["runAsUser"], context["fsGroup"],
                              context["seccompProfile"]["type"]), (True, user, user, "RuntimeDefault"))
            for container in containers:
                own = container["securityContext"]
                self.assertEqual((own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"], own["capabilities"]["drop"]),
                                 (False, True, ["ALL"]))
                mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
                self.assertIn(image_value("DATA"), mounts)
        self.assertEqual(self.sidecar["initContainers"][0]["restartPolicy"], "Always")

    def test_a_relay_takes_the_configuration(self):
        config = FOLDER / "relay" / "ringpost.toml"
        text = config.read_text()
        for port in self.relay["template"]["spec"]["containers"][0]["ports"]:
            self.assertIn(f'"0.0.0.0:{port["containerPort"]}"', text)
        self.assertIn(f'data_dir = "{image_value("RELAY")}"', text)
        place = harness.Workplace()
        self.addCleanup(place.close)
        certificate, key = place.path / "tls.crt", place.path / "tls.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=ringpost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        mine = place.path / "ringpost.toml"
        mine.write_text(text.replace("/etc/ringpost-tls", str(place.path)).replace("/data/relay", str(place.path / "data"))
                        .replace(":8420", f":{harness.free_port()}").replace(":9420", f":{harness.free_port()}"))
        done = subprocess.run([harness.RINGPOST, "check-config", mine], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_sidecar_starts_with_its_arguments_and_its_probe_sees_it(self):
        place = harness.Workplace()
        self.addCleanup(place.close)
        container = self.sidecar["initContainers"][0]
        port = harness.free_port()
        arguments = [argument.replace("/data/relay", str(place.path / "relay")).replace(":8420", f":{port}")
                     for argument in container["args"]]
        relay = harness.Process([harness.RINGPOST, *arguments], r"ready: ")
        self.addCleanup(relay.stop)
        program, *probe = container["startupProbe"]["exec"]["command"]
        self.assertEqual(program, "ringpost")
        done = subprocess.run([harness.RINGPOST, *probe, "--url", f"http://127.0.0.1:{port}"], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual((done.returncode, done.stdout), (0, "ready\n"), done.stderr)
        self.assertTrue(pathlib.Path(place.path / "relay" / "admin.token").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
