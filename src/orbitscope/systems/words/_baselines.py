"""Networks that read words without matrices, to compare with: a perceptron, an LSTM and a transformer, on the same letters."""

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError


def _head(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs))


class WordMLP(nn.Module):
    """A perceptron on one-hot letters side by side; words of more than `length` letters are refused.

    * `letters`: size of the vocabulary, no letter included. `length`: letters of a word. `outputs`: numbers of an answer.
    * `width`, `depth`: of the hidden layers.
    """

    def __init__(self, letters: int, length: int, outputs: int, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.letters, self.length = letters, length
        self.first = nn.Linear(letters * length, width)
        layers: list[nn.Module] = [nn.SiLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))

    def forward(self, words: Tensor) -> Tensor:
        """The answers [N, outputs] to `words` [N, L], L at most `length`."""
        if words.shape[1] > self.length:
            raise OrbitscopeError(f"WordMLP: made for words of {self.length} letters, got {words.shape[1]}. It cannot read longer ones.")
        filled = nn.functional.pad(words, (0, self.length - words.shape[1]))
        return self.layers(self.first(nn.functional.one_hot(filled, self.letters).flatten(1).to(self.first.weight.dtype)))


class WordLSTM(nn.Module):
    """An LSTM over the letters; its last state goes through two layers.

    * `letters`: size of the vocabulary. `outputs`: numbers of an answer. `width`, `depth`: of the states, and layers.
    """

    def __init__(self, letters: int, outputs: int, width: int = 64, depth: int = 1) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, width)
        self.cells = nn.LSTM(width, width, depth, batch_first=True)
        self.head = _head(width, outputs)

    def forward(self, words: Tensor) -> Tensor:
        """The answers [N, outputs] to `words` [N, L]; trailing places without a letter are not read."""
        counts = _lengths(words)
        seen, _ = self.cells(self.embed(words))
        last = seen[torch.arange(len(words), device=words.device), (counts - 1).clamp_min(0)]
        return self.head(last * (counts > 0)[:, None])


class WordTransformer(nn.Module):
    """A transformer over the letters with sines and cosines of their places, averaged over the word.

    * `letters`: size of the vocabulary. `outputs`: numbers of an answer. `width`, `heads`, `depth`: of the layers.
    """

    def __init__(self, letters: int, outputs: int, width: int = 64, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        if width % 2 or width % heads:
            raise OrbitscopeError(f"WordTransformer: `width` should be even and a multiple of `heads`, got {width} and {heads}.")
        self.embed, self.width = nn.Embedding(letters, width), width
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = _head(width, outputs)

    def forward(self, words: Tensor) -> Tensor:
        """The answers [N, outputs] to `words` [N, L]."""
        held = nn.functional.pad(words, (0, 1))  # one place that is never masked: a word without letters has an answer too
        at = torch.arange(held.shape[1], device=words.device, dtype=self.embed.weight.dtype)
        rate = torch.exp(torch.arange(0, self.width, 2, device=words.device, dtype=at.dtype) * (-9.2103 / self.width))
        angles = at[:, None] * rate
        x = self.embed(held) + torch.cat([angles.sin(), angles.cos()], 1)
        hidden = torch.arange(held.shape[1], device=words.device) > _lengths(words)[:, None]
        seen = self.layers(x, src_key_padding_mask=hidden) * ~hidden[..., None]
        return self.head(seen.sum(1) / (~hidden).sum(1, keepdim=True))


def _lengths(words: Tensor) -> Tensor:
    """Letters up to the last one of each word, [N]."""
    at = torch.arange(1, words.shape[1] + 1, device=words.device)
    return ((words > 0) * at).amax(1) if words.shape[1] else words.new_zeros(len(words))
