"""The demo as a visitor meets it: in a browser, through its interface for programs, and with fifty others."""

import base64
import http.server
import io
import re
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from switchseg.data.order import generator
from switchseg.data.scenes.classes import ROAD
from switchseg.data.scenes.scene import make_scene
from switchseg.demo.colours import see_through
from switchseg.demo.samples import SAMPLE_SEED, SAMPLES, sample_images
from switchseg.engine.predictor import Predictor
from tests.browser import accessibility_findings, complaints
from tests.demo.conftest import parsed

SN, GN = "SN: ResNet-18 + one convolution, 17 classes", "GN: ResNet-18 + one convolution, 17 classes"
UPLOAD = "#upload input[type=file]"


@pytest.fixture
def page(browser, demo):
    """The demo in a browser, with its first sample shown."""
    with browser.new_context(viewport={"width": 1200, "height": 900}) as context:
        view = context.new_page()
        view.errors = complaints(view)
        view.goto(demo.address)
        view.wait_for_selector(".viewer canvas")
        yield view


def colour_at(page, x: float, y: float) -> list[int]:
    page.wait_for_timeout(150)  # a frame or two
    return page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector('.viewer canvas');
            const place = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
            return [...canvas.getContext('2d').getImageData(...place, 1, 1).data].slice(0, 3);
        }""",
        [x, y],
    )


def test_the_samples_show_what_the_model_knows():
    """A model of streets is not shown rooms."""
    scenes = [make_scene(generator(SAMPLE_SEED, index)) for index in range(4 * SAMPLES)]
    has_road = {scene.image.tobytes(): (scene.annotation == ROAD + 1).any() for scene in scenes}
    streets = sample_images(("Sky", "Building", "Road", "Pavement", "Tree", "Car"))
    assert [has_road[image.tobytes()] for image in streets] == [True] * SAMPLES
    assert not all(has_road[image.tobytes()] for image in sample_images())


def labels_of(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_an_uploaded_camvid_image_is_labelled_as_the_predictor_does(page, demo, shared_data):
    path = sorted((shared_data / "camvid" / "test").iterdir())[0]
    page.set_input_files(UPLOAD, path)
    page.locator(".remark", has_text=path.name).wait_for()
    save = page.locator("a.save")
    assert save.get_attribute("download") == f"{path.stem}_labels.png"
    assert (labels_of(save.get_attribute("href")) == Predictor(demo.models[0])(path).labels).all()
    assert page.errors == []


def test_classes_can_be_hidden_and_shown(page, demo):
    image = sample_images()[0]
    prediction = Predictor(demo.models[0])(image)
    row, column = image.shape[0] // 2, image.shape[1] // 2
    x, y = (column + 0.5) / image.shape[1], (row + 0.5) / image.shape[0]
    index = int(prediction.labels[row, column])
    colour, name = see_through(prediction.classes)[index], prediction.classes.names[index]
    page.get_by_label("Opacity of the classes").fill("100")
    assert colour_at(page, x, y) == list(colour)
    box = page.locator(".legend label", has_text=name).get_by_role("checkbox")
    box.uncheck()
    page.mouse.move(0, 0)
    assert np.abs(np.array(colour_at(page, x, y)) - image[row, column]).max() < 30  # as JPEG has it
    box.check()
    page.mouse.move(0, 0)
    assert colour_at(page, x, y) == list(colour)
    page.get_by_label("Opacity of the classes").fill("0")
    assert np.abs(np.array(colour_at(page, x, y)) - image[row, column]).max() < 30


def test_pointing_names_the_class_with_mouse_and_keyboard(page, demo):
    prediction = Predictor(demo.models[0])(sample_images()[0])
    height, width = prediction.labels.shape
    canvas, tip = page.locator(".viewer canvas"), page.locator(".tip")
    assert tip.text_content() == ""
    box = canvas.bounding_box()
    canvas.hover(position={"x": 0.25 * box["width"], "y": 0.75 * box["height"]})
    nearby = prediction.labels[int(0.75 * height) - 2 : int(0.75 * height) + 3, int(0.25 * width) - 2 :][:, :5]
    assert tip.text_content().split(",")[0] in {prediction.classes.names[index] for index in np.unique(nearby)}
    canvas.focus()
    page.mouse.move(0, 0)
    page.keyboard.press("ArrowRight")
    index = prediction.labels[int(0.5 * height), int(0.53 * width)]
    assert tip.text_content().split(",")[0] == prediction.classes.names[index]
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_two_models_can_be_compared(page, demo):
    page.get_by_label("Compare with").click()
    page.get_by_role("option", name=GN).click()
    page.wait_for_function("document.querySelectorAll('.viewer figure').length == 2")
    image = sample_images()[0]
    for save, folder in zip(page.locator("a.save").all(), demo.models, strict=True):
        assert (labels_of(save.get_attribute("href")) == Predictor(folder)(image).labels).all()


def test_a_sample_is_shown_when_it_is_picked(page, demo):
    page.locator("#samples button.thumbnail-item").nth(2).click()
    shape = sample_images()[2].shape
    page.wait_for_function(f"document.querySelector('.viewer canvas').width == {shape[1]}")
    assert page.locator("a.save").get_attribute("download") == "sample_2_labels.png"


def test_bad_uploads_are_refused_politely_and_the_page_goes_on(page, tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "notes.png").write_text("not an image either")
    (tmp_path / "large.png").write_bytes(bytes(21 * 2**20))
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    refusals = {
        "notes.txt": "Invalid file type",
        "notes.png": "not an image",
        "huge.png": "more than the 50 megapixels",
        "large.png": "maximum allowed size",
    }
    for name, message in refusals.items():
        page.wait_for_selector(UPLOAD, state="attached")
        page.set_input_files(UPLOAD, tmp_path / name)
        page.locator(".toast-body", has_text=message).wait_for()
        said = page.locator("body").inner_text()
        assert name in said
        assert str(tmp_path) not in said
        assert "/gradio" not in said
        assert "Traceback" not in said
    Image.fromarray(sample_images()[0]).save(tmp_path / "good.png")
    page.wait_for_selector(UPLOAD, state="attached")
    page.set_input_files(UPLOAD, tmp_path / "good.png")
    page.locator(".remark", has_text="good.png").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_and_is_accessible(browser, demo, width, scheme):
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        view = context.new_page()
        errors = complaints(view)
        foreign = []
        view.on("request", lambda r: foreign.append(r.url) if not r.url.startswith((demo.address, "data:")) else None)
        view.goto(demo.address)
        view.wait_for_selector(".viewer canvas")
        assert view.evaluate("document.documentElement.scrollWidth") == width
        assert accessibility_findings(view) == []
        assert errors == []
        assert foreign == []


def asked(demo, path: str, **headers: str) -> httpx.Response:
    payload = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, SN, "none"]}
    return httpx.post(f"{demo.address}/gradio_api/call/predict", json=payload, headers=headers, timeout=60)


@pytest.mark.parametrize("path", ["/etc/passwd", "uploads/../../etc/passwd", "", 5, ["x"], "http://127.0.0.1:9/x.png"])
def test_files_of_the_machine_stay_there_and_no_address_is_fetched(demo, path):
    with httpx.Client(base_url=demo.address) as client:
        assert client.get("/gradio_api/file=/etc/passwd").status_code in (403, 404)
    said = asked(demo, path)
    assert said.status_code == 400
    assert said.text == "a file must be uploaded first"


def test_an_address_is_never_asked_for_a_file(demo):
    asked_for = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            asked_for.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target = f"http://127.0.0.1:{server.server_port}"
        asked(demo, f"{target}/predict.png")
        file = {"path": f"{target}/data.png", "url": f"{target}/url.png", "meta": {"_type": "gradio.FileData"}}
        for place in ("call/predict", "queue/join", "run/predict"):
            body = {"data": [file, file, file], "fn_index": 0, "session_hash": "x"}
            assert httpx.post(f"{demo.address}/gradio_api/{place}", json=body).status_code == 400
        for path in (f"proxy={target}/a", f"file={target}/b", "deep_link", "run-history/records"):
            assert httpx.get(f"{demo.address}/gradio_api/{path}").status_code in (403, 404)
        time.sleep(0.5)
        server.shutdown()
    assert asked_for == []


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("localhost:1", 200), ("[::1]:1", 200), ("", 421)])
def test_the_page_is_known_by_its_own_names_only(demo, host, status):
    assert httpx.get(f"{demo.address}/config", headers={"Host": host}).status_code == status


def upload(demo, content: bytes, name: str = "image.png") -> str:
    return httpx.post(f"{demo.address}/gradio_api/upload", files={"files": (name, content)}).json()[0]


def test_no_answer_tells_where_files_lie(demo):
    picture = io.BytesIO()
    Image.fromarray(sample_images()[0]).save(picture, "PNG")
    path = upload(demo, picture.getvalue())
    started = asked(demo, path).json()
    answers = [path, httpx.get(f"{demo.address}/gradio_api/call/predict/{started['event_id']}", timeout=60).text]
    assert "event: complete" in answers[1]
    answers += [httpx.get(demo.address + place).text for place in ("/", "/config", "/gradio_api/info")]
    sample = re.search(r'"path":\s*"(/uploads-[^"]+)"', answers[3])[1]
    assert httpx.get(f"{demo.address}/gradio_api/file={sample}").headers["content-type"].startswith("image/")
    answers.append(httpx.get(f"{demo.address}/gradio_api/file=/no/such/file").text)
    for answer in answers:
        assert str(demo.uploads) not in answer
        assert "switchseg-demo-" not in answer
        assert str(Path(__file__).parents[2]) not in answer


def test_more_than_there_is_room_for_is_refused(demo):
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(2**31)}
    request = httpx.Client().build_request("POST", f"{demo.address}/gradio_api/upload", headers=headers, content=b"")
    request.headers["Content-Length"] = str(2**31)
    with socket.create_connection((request.url.host, request.url.port)) as connection:
        head = "".join(f"{key}: {value}\r\n" for key, value in request.headers.items())
        connection.sendall(f"POST /gradio_api/upload HTTP/1.1\r\n{head}\r\n".encode())
        assert b" 503 " in connection.recv(4096).splitlines()[0]


@pytest.mark.slow
def test_no_file_outlives_its_answer_by_more_than_a_minute(demo):
    samples = {path for path in demo.uploads.rglob("*") if path.is_file()}
    picture = io.BytesIO()
    Image.fromarray(sample_images()[0]).save(picture, "PNG")
    for content in (picture.getvalue(), b"", b"no image"):
        started = asked(demo, upload(demo, content, f"image{len(content)}.png")).json()
        httpx.get(f"{demo.address}/gradio_api/call/predict/{started['event_id']}", timeout=60)
    upload(demo, b"never asked about", "forgotten.png")
    assert len([path for path in demo.uploads.rglob("*") if path.is_file()]) > len(samples)
    time.sleep(60)
    assert {path for path in demo.uploads.rglob("*") if path.is_file()} <= samples


@pytest.mark.slow
def test_fifty_visitors_for_a_minute(demo, tmp_path):
    paths, expected = [], {}
    predictor = Predictor(demo.models[0])
    for index, image in enumerate(sample_images()[:4]):
        paths.append(tmp_path / f"image_{index}.png")
        Image.fromarray(image).save(paths[-1])
        expected[paths[-1]] = predictor(image).labels
    resident = [memory_of(demo.process.pid)]
    wrong, failed, answered = [], [], []
    deadline = time.monotonic() + 60

    def visit(number: int) -> None:
        try:
            # The client's own 5 seconds are too few where 50 clients and the server share two cores.
            patience = {"timeout": 60}
            folder = str(tmp_path / f"visitor_{number}")
            client = Client(demo.address, verbose=False, download_files=folder, httpx_kwargs=patience)
            while time.monotonic() < deadline:
                path = paths[(number + len(answered)) % len(paths)]
                value = parsed(client.predict(handle_file(path), SN, "none", api_name="/predict"))
                (wrong if (labels_of(value["models"][0]["labels"]) != expected[path]).any() else answered).append(path)
        except Exception as error:
            failed.append(repr(error))

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(50)]
    for visitor in visitors:
        visitor.start()
    while any(visitor.is_alive() for visitor in visitors):
        time.sleep(1)
        resident.append(memory_of(demo.process.pid))
    print(
        f"{len(answered)} answers, {resident[0]:.0f} MB before, {max(resident):.0f} MB at most, {resident[-1]:.0f} MB"
    )
    assert failed == []
    assert wrong == []
    assert len(answered) >= 50
    early, late = max(resident[: len(resident) // 2]), max(resident[len(resident) // 2 :])
    assert max(resident) < resident[0] + 600
    assert late < early + 150  # it does not go on growing


def memory_of(process: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
