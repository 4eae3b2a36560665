import json


def test_the_card_says_what_others_read(exported):
    card = json.loads((exported[1] / "model" / "model.json").read_text())
    assert (card["format"], card["name"], card["precision"], card["opset"]) == (1, "demo", "fp32", 18)
    assert card["input"] | {"fit": ""} == {
        "name": "image",
        "height": 64,
        "width": 96,
        "layout": "NHWC",
        "dtype": "uint8",
        "color": "rgb",
        "range": [0, 255],
        "fit": "",
    }
    assert [(o["name"], o["shape"], o["dtype"]) for o in card["outputs"]] == [
        ("boxes", [8, 4], "float32"),
        ("scores", [8], "float32"),
        ("class_id", [8], "int32"),
        ("masks", [8, 28, 28], "float32"),
        ("semantic", [64, 96], "int32"),
    ]
    assert card["classes"][1] == {"id": 2, "name": "c2", "isthing": 1, "color": [2, 2, 2]}
    assert card["thresholds"] == {"score": 0.3, "overlap": 0.5, "mask": 0.5, "stuff_area": 4096 / (1024 * 2048)}
    assert card["weights"] == [{"source": "start.pth", "licence": "CC0"}] and card["training"] == {"step": 5}
    assert card["parity"]["inputs"] == 4 and card["parity"]["unmatched"] == 0 and card["parity"]["instances"] > 0
