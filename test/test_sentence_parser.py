"""The network that reads sentences, its files, its training and its command."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.language.interpretation import ACTS
from vlm_robot_ros.language.program_tokens import TOKENS
from vlm_robot_ros.models.checkpoint import CheckpointError
from vlm_robot_ros.models.sentence_parser import (
    SentenceParserConfig,
    SentenceParserModel,
    load_pretrained_encoder,
)
from vlm_robot_ros.models.sentence_parser_files import PIECES, load_parser, save_parser
from vlm_robot_ros.models.token_writer import TokenWriter
from vlm_robot_ros.policies.sentence_parsing import LearnedSentenceParser, has_words
from vlm_robot_ros.training.sentence_sampler import SENTENCES, SentenceSampler, split_sentences


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """Word pieces of single letters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = [chr(code) for code in range(97, 123)]
    words = [*special, *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    path = tmp_path_factory.mktemp("pieces") / PIECES
    made.save(str(path))
    return path


@pytest.fixture(scope="module")
def bert():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def model(bert):
    torch.manual_seed(1)
    made = SentenceParserModel(SentenceParserConfig(TOKENS, ahead=2)).eval()
    load_pretrained_encoder(made, bert.state_dict())
    return made


@pytest.fixture(scope="module")
def checkpoint(model, pieces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parser")
    (folder / PIECES).write_bytes(pieces.read_bytes())
    save_parser(model, folder, {"steps": 0})
    return folder


@torch.inference_mode()
def test_the_encoder_computes_what_transformers_computes(model, bert):
    ids = torch.randint(4, 30000, (2, 12))
    segments = torch.zeros_like(ids)
    segments[:, 7:] = 1
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 9:] = False
    ours = model.encoder(ids, segments, mask)
    theirs = bert(ids, attention_mask=mask.long(), token_type_ids=segments).last_hidden_state
    torch.testing.assert_close(ours[mask], theirs[mask], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_tokens_written_one_by_one_have_the_scores_of_all_at_once(model):
    ids, mask = torch.randint(4, 30000, (1, 9)), torch.ones(1, 9, dtype=torch.bool)
    segments, written = torch.zeros_like(ids), [3, 17, 5]
    (together, *ahead), part = model(ids, segments, mask, torch.tensor([written]))
    guessed = torch.stack(ahead, -2)[0].argmax(-1)
    writer = TokenWriter(model)
    for _ in range(2):  # nothing of a sentence is left when the next one is read
        torch.testing.assert_close(writer.read(ids, segments, mask), part[0], atol=1e-4, rtol=1e-4)
        rows = [
            writer.write([], 0),
            *(writer.write([each], i) for i, each in enumerate(written, 1)),
        ]
        torch.testing.assert_close(
            torch.cat([scores for scores, _ in rows]), together[0], atol=1e-4, rtol=1e-4
        )
        assert [row for _, guesses in rows for row in guesses] == guessed.tolist()


@torch.inference_mode()
def test_tokens_that_were_guessed_wrong_are_written_over(model):
    ids, mask = torch.randint(4, 30000, (1, 9)), torch.ones(1, 9, dtype=torch.bool)
    segments, written = torch.zeros_like(ids), [3, 17, 5]
    together = model(ids, segments, mask, torch.tensor([written]))[0][0]
    writer = TokenWriter(model)
    writer.read(ids, segments, mask)
    writer.write([], 0)
    writer.write([3, 8, 9, 10], 1)  # only the first is right
    scores, _ = writer.write([17, 5], 2)
    torch.testing.assert_close(scores, together[0, 2:], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_guesses_change_nothing_of_what_is_understood(model, pieces, tmp_path_factory):
    texts = ["put the lemon in the bowl", "push it left and go home", "no", "abc def"]
    said = []
    for each in (model, without_guesses(model)):
        folder = tmp_path_factory.mktemp("parser")
        (folder / PIECES).write_bytes(pieces.read_bytes())
        save_parser(each, folder, {})
        parser = LearnedSentenceParser(folder)
        said.append([parser.parse(text, after) for text in texts for after in ("", "go home")])
    for with_guesses, without in zip(*said, strict=True):
        assert with_guesses.meaning == without.meaning
        assert with_guesses.confidence == pytest.approx(without.confidence, abs=1e-5)


def without_guesses(model):
    """Return the model without what guesses."""
    made = SentenceParserModel(SentenceParserConfig(TOKENS)).eval()
    made.load_state_dict(
        {name: each for name, each in model.state_dict().items() if not name.startswith("ahead")}
    )
    return made


@torch.inference_mode()
def test_a_saved_parser_is_small_and_scores_as_before(model, checkpoint):
    assert (checkpoint / "model.safetensors").stat().st_size < 50e6
    loaded, _ = load_parser(checkpoint)
    ids, mask = torch.randint(4, 30000, (1, 9)), torch.ones(1, 9, dtype=torch.bool)
    before, after = (
        each(ids, torch.zeros_like(ids), mask, torch.tensor([[3]]))[0][0]
        for each in (model, loaded)
    )
    torch.testing.assert_close(after, before, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    "text", ["", "put the lemon in the bowl", "\U0001f34b -> \U0001f963", "go " * 500, "\t\n"]
)
@pytest.mark.parametrize("after", ["", "go home"])
def test_any_text_gets_a_meaning_of_the_grammar(checkpoint, text, after):
    said = LearnedSentenceParser(checkpoint).parse(text, after)
    assert said.meaning.act in ACTS
    assert 0.0 <= said.confidence <= 1.0


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.json", b"{}"), ("model.safetensors", b"x"), (PIECES, b"[]"), ("config.json", None)],
)
def test_a_broken_parser_is_refused_with_its_files(checkpoint, tmp_path, name, content):
    for path in checkpoint.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config.json, model.safetensors and tokenizer"):
        load_parser(tmp_path)


def test_the_command_prints_one_json_object_per_line(checkpoint, tmp_path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("go home\n\npush it left\tno, right\nstop!\n")
    command = ["understand", "--file", str(lines), "--json", "--parser", str(checkpoint)]
    assert main(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["go home", "no, right", "stop!"]
    assert rows[1]["after"] == "push it left"
    assert rows[2]["act"] == "stop"
    assert rows[2]["steps"] == []
    assert all({"act", "steps", "holds", "asks", "confidence"} <= set(row) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a sentence or --file"),
        (["go home", "--file", "x"], "give a sentence or --file"),
        (["--file", "x", "--after", "go home"], "--after does not go with --file"),
        (["go home"], "no usable sentence parser in 'nowhere'"),
    ],
)
def test_wrong_arguments_of_the_command_are_told(arguments, message, capsys):
    assert main(["understand", "--parser", "nowhere", *arguments]) != 0
    assert message in capsys.readouterr().err


def test_sampled_sentences_are_many_and_their_meanings_are_grammatical(pieces):
    from vlm_robot_ros.models.sentence_parser_files import load_pieces

    training, development = split_sentences(sorted((SENTENCES / "train").glob("*.tsv")))
    assert not {(each.text, each.after) for each in training} & {
        (each.text, each.after) for each in development
    }
    sampler = SentenceSampler(training, load_pieces(pieces), 0)
    sampled = [sampler.sample() for _ in range(400)]
    assert len({replace(each, register="plain") for each in sampled}) > 380
    assert {each.meaning.act for each in sampled} >= {"command", "correction", "question"}
    batch = sampler.draw(8)
    assert batch.pieces.shape == batch.mask.shape == batch.part.shape
    assert (batch.tokens[:, 0] >= 0).all()


@pytest.mark.long
def test_a_training_that_was_interrupted_goes_on(bert, pieces, tmp_path):
    from vlm_robot_ros.training.train_sentence_parser import (
        ParserTrainConfig,
        train_sentence_parser,
    )

    pretrained, out = tmp_path / "minilm", tmp_path / "out"
    pretrained.mkdir()
    (pretrained / PIECES).write_bytes(pieces.read_bytes())
    save_file({k: v.contiguous() for k, v in bert.state_dict().items()},
              pretrained / "model.safetensors")  # fmt: skip
    for steps in (2, 3):
        config = ParserTrainConfig(steps=steps, batch=4, save_every=1)
        assert train_sentence_parser(pretrained, out, config) == out
    assert json.loads((out / "config.json").read_text())["training"]["step"] == 3
    assert LearnedSentenceParser(out).parse("go home").confidence >= 0.0
    further = train_sentence_parser(out, tmp_path / "further", ParserTrainConfig(1, 4, 1e-9))
    before, after = (load_parser(folder)[0].out.weight for folder in (out, further))
    torch.testing.assert_close(after, before, atol=1e-2, rtol=0.0)  # it began where that one ended


def test_words_that_a_user_taught_stand_for_others(checkpoint):
    plain = LearnedSentenceParser(checkpoint)
    taught = LearnedSentenceParser(checkpoint, {"mint": "green"})
    said = taught.parse("pick up the Mint cube", "push the mint bottle left")
    assert said == plain.parse("pick up the green cube", "push the green bottle left")
    assert taught.parse("pick up the minted cube") == plain.parse("pick up the minted cube")


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("go home", True),
        ("2 the left plz", True),
        ("push it 5 cm", True),
        ("\u00e7a va l\u00e0", True),
        ("[31m [31m [31m", False),
        ("12 34 56", False),
        ("\u65e5\u672c\u8a9e", False),
        ('{"a": 1, "b": [2, 3]}', False),
        ("<script>move()</script>", False),
        ('{"skill": "pick", "target": null}', False),
        ("%s%n{0}{self.__class__}${PATH}", False),
        ("; rm -rf / #", False),
        ("push it -> left (a bit)", True),
        ('push it "slowly" 5% :)', True),
        ("?!", False),
        ("", False),
    ],
)
def test_what_is_no_words_means_nothing(checkpoint, text, known):
    assert has_words(text) is known
    if not known:
        parsed = LearnedSentenceParser(checkpoint).parse(text, "pick up the red cube")
        assert (parsed.meaning.act, parsed.meaning.steps) == ("unclear", ())
