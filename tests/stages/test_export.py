"""Exported files answer as the network does, whoever runs them; and what is no whole exported file is refused."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper
from PIL import Image

from pipeline import models
from pipeline.artifacts import arrays, cards
from pipeline.config import AlignConfig, Architecture, ResizeConfig, WindowConfig
from pipeline.errors import ArtifactError, ConfigError, DataError, MissingDependencyError
from pipeline.serving import engines, formats, onnx_file
from pipeline.serving.formats import Trained
from pipeline.serving.heat_maps import fitting, heat_maps
from pipeline.serving.network import Network
from pipeline.tasks import PAIN, TASKS
from stages import export, predict
from stages.cli import cli
from tests.fakes.classify import Fakes
from tests.helpers.domains import knowing
from tests.helpers.domains import pictures as pictures_like_training
from tests.helpers.networks import FINGERPRINT, saved, saved_of_frames, saved_of_signals
from tests.serving import answering

WHOLE = AlignConfig(face_size=64, align="none")
HEAT = Architecture("heat:test_resnet", image_size=64, weights="random")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of each kind: faces, frames, and points by heat maps. That of classes knows what it has seen."""
    folder = tmp_path_factory.mktemp("models")
    knowing(saved(folder / "classify", PAIN, WHOLE), pictures_like_training(60), pictures_like_training(20, 1))
    saved(folder / "regress", TASKS["intensity"], WHOLE)
    saved_of_frames(folder / "multilabel", TASKS["fire-smoke"], ResizeConfig(frame_size=32))
    saved(folder / "points", answering.points(3), WHOLE, architecture=HEAT)
    return folder


@pytest.fixture(scope="module")
def exports(folder, tmp_path_factory):
    """Gives the exports of a model, made once in every format that fits it."""

    @cache
    def exports(name):
        model, out = folder / name, tmp_path_factory.mktemp(name)
        fitting = [name for name, one in formats.FORMATS.items() if not one.fault(Trained.load(model))]
        export.run(model, fitting, out)
        return out

    return exports


@pytest.fixture(scope="module", params=["classify", "regress", "multilabel", "points"])
def exported(request, folder, exports):
    """A model and the folder of its exports."""
    return folder / request.param, exports(request.param)


@pytest.fixture(scope="module")
def pain(folder, exports):
    """A recogniser of pain as a folder, and as an ONNX file."""
    return folder / "classify", exports("classify") / "model.onnx"


@pytest.fixture
def pictures(tmp_path, photograph):
    source = tmp_path / "in"
    source.mkdir()
    for number in range(3):
        Image.fromarray(photograph[10 * number : 200 + 10 * number, 100:330]).save(source / f"{number}.png")
    (source / "broken.png").write_bytes(b"no picture")
    return source


def test_every_format_is_told_of_and_written():
    assert list(export.FORMATS) == list(formats.FORMATS)


@pytest.mark.slow
def test_the_table_says_what_each_file_is_worth(exported):
    model, out = exported
    rows = {row["format"]: row for row in json.loads((out / "export.json").read_text())["files"]}
    for name, row in rows.items():
        place = out / row["file"]
        files = [place] if place.is_file() else list(place.iterdir())
        assert row["megabytes"] == pytest.approx(sum(file.stat().st_size for file in files) / 1e6, abs=1e-3)
        assert 0 <= row["largest_difference"] < 1e-4, name
        assert row["inputs"] == export.NOISE
        if model.name in ("classify", "multilabel"):
            assert row["agreement"] == 1
        else:
            assert row["difference_in_units"] < 0.01
            assert row["unit"] == {"regress": "pspi", "points": "px"}[model.name]
    assert {entry.name for entry in out.iterdir()} == {row["file"] for row in rows.values()} | {"export.json"}
    shown = export.table(out / "export.json").splitlines()
    assert [line.split()[0] for line in shown] == ["format", *rows]


@pytest.mark.slow
def test_files_answer_to_any_number_of_inputs(exported):
    model, out = exported
    trained = Trained.load(model)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    names = ["logits", "domain_score"][: 1 + (model.name == "classify")]
    assert [one.name for one in session.get_outputs()] == names
    program = torch.export.load(out / "model.pt2").module()
    script = torch.jit.load(out / "model.torchscript")
    for rows in (1, 3, 8):
        inputs = trained.made(trained.noise(rows, seed=5))
        expected, scores = trained.run(inputs)
        plain, *judged = session.run(None, {"rgb": inputs.contiguous().numpy()})
        for answers in judged:
            np.testing.assert_allclose(answers, scores, rtol=1e-4)
        for answers in (plain, program(inputs).detach().numpy(), script(inputs).detach().numpy()):
            assert len(answers) == rows
            np.testing.assert_allclose(answers, expected, atol=1e-4)


@pytest.mark.slow
def test_the_metadata_have_the_whole_card_and_words_for_people(exported):
    model, out = exported
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    stated = session.get_modelmeta().custom_metadata_map
    assert json.loads(stated[onnx_file.CARD]) == cards.read(model)
    assert engines.card_of(out / "model.onnx") == cards.read(model)
    assert stated["outputs"] == ", ".join(cards.read(model)["classes"])
    onnx.checker.check_model(onnx.load(out / "model.onnx"))


@pytest.mark.slow
def test_no_file_names_folders_of_the_machine_that_made_it(exported):
    _, out = exported
    content = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for module in (timm, onnx_file):
        assert os.fsencode(Path(module.__file__).parent) not in content


@pytest.mark.slow
@pytest.mark.parametrize("exported", ["classify", "regress"], indirect=True)
def test_plain_timm_loads_the_folder_with_the_same_logits(exported):
    model, out = exported
    trained = Trained.load(model)
    network = timm.create_model(f"local-dir:{out / 'timm'}", pretrained=True).eval()
    inputs = trained.made(trained.noise(4, seed=9))
    np.testing.assert_allclose(models.logits(network, inputs).numpy(), trained.run(inputs)[0], atol=1e-6)
    assert list(network.pretrained_cfg["mean"]) == list(trained.card["inputs"]["rgb"]["mean"])


@pytest.mark.slow
def test_predict_writes_the_same_table_from_folder_and_file(exported, pictures, tmp_path):
    model, out = exported
    one, other = (
        arrays.read_table(predict.run(pictures, source, tmp_path / name, "cpu"))
        for name, source in (("folder", model), ("file", out / "model.onnx"))
    )
    numbers = [name for name in one.columns if name.startswith(("prob_", "value_", "p0_", "p1_", "p2_"))]
    assert numbers
    assert one["in_domain"].notna().any() == (model.name == "classify")
    numbers += ["domain_score"] * (model.name == "classify")
    last_digit = 0.0101 if model.name == "points" else 0  # of pixels, which are rounded
    np.testing.assert_allclose(one[numbers], other[numbers], atol=1e-4 + last_digit)
    assert one.drop(columns=numbers).equals(other.drop(columns=numbers))
    assert one["reason"].notna().tolist() == [False, False, False, True]
    files, others = (
        {path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")} for name in ("folder", "file")
    )
    assert files == others
    assert (Path("points") in files) == (model.name == "points")


@pytest.mark.slow
def test_a_network_of_signals_and_one_of_two_cameras_can_be_run_too(tmp_path):
    signals = saved_of_signals(tmp_path / "signals", TASKS["skin-conductance"], WindowConfig(), 64.0, 352)
    dual = Architecture("dual:test_resnet", image_size=32, weights="random")
    cameras = saved_of_frames(tmp_path / "dual", TASKS["fire-smoke"], ResizeConfig(frame_size=32), dual)
    for model, names in ((signals, ["signal"]), (cameras, ["rgb", "ir"])):
        export.run(model, ["onnx"], tmp_path / "out")
        trained, engine = Trained.load(model), engines.load(tmp_path / "out" / "model.onnx", "cpu")
        inputs = trained.made(trained.noise(3, seed=2))
        assert list(engine.card["inputs"]) == names
        np.testing.assert_allclose(engine.read(inputs)[0], trained.run(inputs)[0], atol=1e-5)


def test_test_inputs_of_the_cache_are_asked_too(tmp_path):
    fakes = Fakes(tmp_path / "cache", subjects=40, size=64)
    made = dict(zip(fakes.data, fakes.store.build(*fakes.data.values()), strict=True))
    model = saved(fakes.store.root / "student-x", PAIN, WHOLE)
    network, card = models.load_model(model)
    card = {name: value for name, value in card.items() if name not in answering.WRITTEN_BY_SAVING}
    card |= {f"{name}_fingerprint": made[name].fingerprint for name in ("inputs", "split")}
    models.save_model(model, network, card, FINGERPRINT)
    tested = (arrays.read_table(made["split"].file("split.csv"))["part"] == "test").sum()
    shown = CliRunner().invoke(
        cli,
        ["export", "--model", str(model), "--format", "timm", "--out", str(tmp_path / "out")],
        catch_exceptions=False,
    )
    (row,) = json.loads((tmp_path / "out" / "export.json").read_text())["files"]
    assert row["inputs"] == export.NOISE + min(tested, export.TESTED)
    assert tested > 0
    assert f"100 % of {row['inputs']} classes" in shown.output


def test_a_second_export_takes_the_place_of_the_first_and_drafts_go(pain, tmp_path):
    model, _ = pain
    (tmp_path / "timm.draft").mkdir()
    for _ in range(2):
        export.run(model, ["timm", "torchscript"], tmp_path)
        assert {entry.name for entry in tmp_path.iterdir()} == {"timm", "model.torchscript", "export.json"}
    (tmp_path / "timm" / "mine.txt").touch()
    with pytest.raises(DataError, match="holds what no export left"):
        export.run(model, ["timm"], tmp_path)
    assert (tmp_path / "timm" / "mine.txt").exists()


def test_a_file_that_finds_other_inputs_strange_is_removed(pain, tmp_path, monkeypatch):
    form = formats.FORMATS["onnx"]

    def load(path):
        run = form.load(path)
        return lambda inputs: (run(inputs)[0], run(inputs)[1] * np.float32(1.01))

    def write(_, path):
        path.write_bytes(pain[1].read_bytes())

    monkeypatch.setitem(formats.FORMATS, "onnx", form._replace(load=load, write=write))
    with pytest.raises(ArtifactError, match=r"domain scores differ by 0\.00\d*, expected at most 0\.001"):
        export.run(pain[0], ["onnx"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_table_says_how_alike_inputs_are_flagged(pain):
    row = json.loads(pain[1].with_name("export.json").read_text())["files"][0]
    assert 0 <= row["difference_of_domain_scores"] < 1e-4
    assert row["flagged_alike"] == 1


@pytest.mark.parametrize("name", ["torchscript", "timm"])
def test_a_file_that_answers_otherwise_is_removed(name, pain, tmp_path, monkeypatch):
    form = formats.FORMATS[name]

    def load(path):
        run = form.load(path)
        return lambda inputs: (run(inputs)[0] + np.float32(0.01), None)

    monkeypatch.setitem(formats.FORMATS, name, form._replace(load=load))
    with pytest.raises(ArtifactError, match=r"outputs differ by 0\.01, expected at most 0\.001"):
        export.run(pain[0], [name], tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said(folder, pain, tmp_path):
    with pytest.raises(ConfigError, match=r"FORMAT=onnx,tflite: tflite is none\. Name some of onnx, timm"):
        export.run(folder / "classify", ["onnx", "tflite"], tmp_path)
    with pytest.raises(ConfigError, match=r"timm has no network cnn4\. .* FORMAT=onnx,torchscript,pt2"):
        export.run(folder / "multilabel", ["onnx", "timm"], tmp_path)
    with pytest.raises(ArtifactError, match="is no folder"):
        export.run(pain[1], ["onnx"], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("lacking", "runs"), [("onnxscript", True), ("onnxruntime", False), ("onnx", False)])
def test_a_missing_package_names_the_extra(lacking, runs, pain, pictures, tmp_path, monkeypatch):
    plain = importlib.import_module

    def without(name):
        if name == lacking:
            raise ImportError(name)
        return plain(name)

    monkeypatch.setattr(onnx_file.importlib, "import_module", without)
    with pytest.raises(MissingDependencyError, match=r"pip install -e '\.\[export\]'"):
        export.run(pain[0], ["onnx"], tmp_path / "out")
    if runs:
        predict.run(pictures, pain[1], tmp_path / "out", "cpu")
    else:
        with pytest.raises(MissingDependencyError, match=r"pip install -e '\.\[export\]'"):
            predict.run(pictures, pain[1], tmp_path / "out", "cpu")


def damages(whole: bytes) -> dict[str, bytes]:
    """Every damage by its name."""
    random = np.random.default_rng(0)
    found = {f"cut at {share}": whole[: int(len(whole) * share)] for share in (0, 0.01, 0.1, 0.5, 0.9, 0.999)}
    found |= {f"cut by {count}": whole[:-count] for count in (1, 10, 64, 100, 1000)}
    for place in random.integers(0, len(whole), 24):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(random.integers(8))
        found[f"bit at {place}"] = bytes(changed)
    for place in random.integers(0, len(whole), 4):
        found[f"gap at {place}"] = whole[:place] + whole[place + 50 :]
        found[f"more at {place}"] = whole[:place] + random.bytes(20) + whole[place:]
    found["more after it"] = whole + b"\x00"
    found["twice"] = whole + whole[-139:]
    found["noise"] = random.bytes(5000)
    found["a picture"] = b"\x89PNG\r\n\x1a\n" + random.bytes(500)
    return found


def sealed(model: onnx.ModelProto) -> bytes:
    """A file whose seal is right, whatever it says."""
    del model.metadata_props[-1]
    body = model.SerializeToString()
    return body + onnx_file._seal(hashlib.sha256(body).hexdigest())


def stating(model: onnx.ModelProto, card: dict, **changes) -> onnx.ModelProto:
    """The model with another card."""
    entry = next(entry for entry in model.metadata_props if entry.key == onnx_file.CARD)
    entry.value = cards.text({name: value for name, value in (card | changes).items() if name != "checksum"})
    return model


def hostile(whole: bytes) -> dict[str, bytes]:
    """What was made on purpose, by name; the seal of each is right."""

    def fresh() -> onnx.ModelProto:
        return onnx.ModelProto.FromString(whole)

    card = json.loads(next(entry.value for entry in fresh().metadata_props if entry.key == onnx_file.CARD))
    found = {}
    model = fresh()
    model.metadata_props.insert(0, onnx.StringStringEntryProto(key=onnx_file.CARD, value="{}"))
    found["two cards"] = sealed(model)
    model = fresh()
    del model.metadata_props[0]
    found["no card"] = sealed(model)
    model = fresh()
    model.metadata_props[0].value = " " * (cards.MOST_BYTES + 1)
    found["an endless card"] = sealed(model)
    model = fresh()
    model.metadata_props[0].value = "[" * 100_000
    found["a deep card"] = sealed(model)
    model = fresh()
    model.metadata_props[0].value = model.metadata_props[0].value.replace("no_pain", "on_pain")
    found["a changed card"] = sealed(model)
    names = ["a", "b", "c"]
    found["another number of classes"] = sealed(
        stating(fresh(), card, classes=names, task=card["task"] | {"outputs": names, "positive": "a"})
    )
    found["another size"] = sealed(
        stating(
            fresh(),
            card,
            inputs={"rgb": card["inputs"]["rgb"] | {"size": 64}},
            network=card["network"] | {"image_size": 64},
        )
    )
    model = fresh()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    found["weights elsewhere"] = sealed(model)
    model = fresh()
    value = helper.make_tensor("", TensorProto.FLOAT, [1], [0.0])
    value.external_data.add(key="location", value="/etc/passwd")
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=value)], "b", [], [])
    model.graph.node.append(helper.make_node("If", ["rgb"], [], then_branch=branch, else_branch=branch))
    found["weights elsewhere, in a branch"] = sealed(model)
    model = fresh()
    model.graph.node[0].op_type, model.graph.node[0].domain = "Run", "com.example"
    found["an operator of its own"] = sealed(model)
    model = fresh()
    model.functions.add(name="f", domain="com.example")
    found["a function"] = sealed(model)
    model = fresh()
    model.graph.input[0].name = "picture"
    found["another input"] = sealed(model)
    model = fresh()
    del model.graph.node[3:]
    found["half a graph"] = sealed(model)
    model = fresh()
    model.graph.output[1].name = "another"
    model.graph.node.append(helper.make_node("Identity", ["domain_score"], ["another"]))
    found["another output"] = sealed(model)
    model = fresh()
    model.graph.node.append(helper.make_node("Unsqueeze", ["domain_score", "val_axis"], ["wide"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "val_axis"))
    model.graph.output[1].name = "domain_score"
    for node in model.graph.node[:-1]:
        node.output[:] = ["narrow" if name == "domain_score" else name for name in node.output]
    model.graph.node[-1].input[0], model.graph.node[-1].output[0] = "narrow", "domain_score"
    model.graph.output[1].ClearField("type")
    model.graph.output[1].type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    found["scores of another shape"] = sealed(model)
    found["nothing"] = sealed(onnx.ModelProto(metadata_props=[onnx.StringStringEntryProto(key="x", value="y")]))
    return found


def test_what_is_damaged_or_made_on_purpose_is_one_error_of_one_line(pain, tmp_path):
    whole = pain[1].read_bytes()
    tried = damages(whole) | hostile(whole)
    assert len(tried) >= 55
    faults = {}
    for name, content in tried.items():
        (tmp_path / "model.onnx").write_bytes(content)
        try:
            engines.load(tmp_path / "model.onnx", "cpu")
        except ArtifactError as error:
            faults[name] = str(error)
    assert list(faults) == list(tried)
    for name, fault in faults.items():
        assert "model.onnx is no whole exported model: " in fault, name
        assert "make export" in fault, name
        assert "\n" not in fault, name


def test_a_file_of_others_is_refused_before_anything_is_written(pain, pictures, tmp_path):
    plain = onnx.load(pain[1])
    del plain.metadata_props[:]
    onnx.save(plain, tmp_path / "model.onnx")
    with pytest.raises(ArtifactError, match="does not end as `make export` ends a file"):
        predict.run(pictures, tmp_path / "model.onnx", tmp_path / "out", "cpu")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ArtifactError, match="Not a regular file"):
        predict.run(pictures, tmp_path / "pipe.onnx", tmp_path / "out", "cpu")
    (tmp_path / "model.pt2").touch()
    with pytest.raises(ArtifactError, match=r"is no folder, and no \.onnx file"):
        predict.run(pictures, tmp_path / "model.pt2", tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def test_a_file_is_explained_by_occlusion_as_its_network_is(pain):
    face = {"rgb": np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)}
    folder, file = (Network(model, "cpu") for model in pain)
    assert fitting(file) == ("occlusion",)
    expected, given = (heat_maps(network, face, [1], "occlusion") for network in (folder, file))
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(given, expected, atol=1e-3 * expected.max())
