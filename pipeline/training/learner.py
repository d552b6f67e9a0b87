"""The optimizer and the compiled training step, for TensorFlow and JAX."""

import keras
import numpy as np
from keras import ops

from pipeline.core.constants import HOP_SAMPLES
from pipeline.core.instrument_config import TrainConfig
from pipeline.model.ddx7 import Ddx7
from pipeline.training.dataset import Arrays, crop_clips
from pipeline.training.losses import Loss, distances

VALIDATION_BATCH = 8  # clips
COMPILED_STEPS = 50  # that JAX takes in one call: one by one, a GPU waits for Python


class Learner:
    """A model, its optimizer and the compiled step: the only place that knows Keras' backends."""

    def __init__(self, model: Ddx7, arrays: Arrays, loss: Loss, config: TrainConfig):
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(config.steps - config.warmup_steps, 1),
            alpha=config.final_learning_rate / config.learning_rate,
            warmup_target=config.learning_rate,
            warmup_steps=config.warmup_steps,
        )
        self.optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=config.weight_decay, global_clipnorm=config.gradient_clip
        )
        self.optimizer.exclude_from_weight_decay(
            var_names=["bias", "noise", "decay", "wet", "breath"]
        )
        self.optimizer.build(model.trainable_variables)
        self.model = model
        self.arrays = {name: ops.convert_to_tensor(array) for name, array in arrays.items()}
        self.loss = loss
        self.n_lead = model.config.tcn.receptive_field - 1
        self.n_frames = config.crop_frames
        on_jax = keras.backend.backend() == "jax"
        self.steps_at_once = COMPILED_STEPS if on_jax else 1
        compiled = self._jax_functions() if on_jax else self._tensorflow_functions()
        self._steps, self._distances = compiled

    @property
    def variables(self) -> list:
        """Everything that a step changes, in a fixed order."""
        return self.model.variables + self.optimizer.variables

    def steps(self, clips: np.ndarray, starts: np.ndarray):
        """Takes optimizer steps, at most `steps_at_once`, on crops of clips.

        Args:
            clips: Clip indices, shape [n_steps, batch].
            starts: First frames, likewise.

        Returns:
            The losses, a tensor of shape [n_steps].
        """
        return self._steps(clips, starts)

    def distances(self, clips: np.ndarray) -> np.ndarray:
        """Returns the `distances` of whole clips, shape [n_clips, 4]."""
        padded = np.resize(clips, -len(clips) // VALIDATION_BATCH * -VALIDATION_BATCH).astype(
            np.int32
        )
        batches = padded.reshape(-1, VALIDATION_BATCH)
        return np.concatenate([ops.convert_to_numpy(self._distances(b)) for b in batches])[
            : len(clips)
        ]

    def _batch_loss(self, arrays, clips, starts, call):
        batch = crop_clips(arrays, clips, starts, self.n_frames, self.n_lead)
        return self.loss(call(batch), batch)

    def _batch_distances(self, arrays, clips, call):
        n_frames = arrays["phase"].shape[1] // HOP_SAMPLES
        batch = crop_clips(arrays, clips, 0 * clips, n_frames, self.n_lead)
        return distances(call(batch), batch)

    def _tensorflow_functions(self):
        import tensorflow as tf

        @tf.function
        def step(clips, starts):
            with tf.GradientTape() as tape:
                loss = self._batch_loss(
                    self.arrays, clips, starts, lambda b: self.model(b, training=True)
                )
            gradients = tape.gradient(loss, self.model.trainable_variables)
            self.optimizer.apply(gradients, self.model.trainable_variables)
            return loss

        def steps(clips, starts):
            return tf.stack([step(*batch) for batch in zip(clips, starts, strict=True)])

        def distances(clips):
            return self._batch_distances(self.arrays, clips, self.model)

        return steps, tf.function(distances)

    def _jax_functions(self):
        import jax

        model, optimizer = self.model, self.optimizer

        def batch_loss(trainable, fixed, arrays, clips, starts):
            changed = {}

            def call(batch):
                outputs, changed["fixed"] = model.stateless_call(
                    trainable, fixed, batch, training=True
                )
                return outputs

            return self._batch_loss(arrays, clips, starts, call), changed["fixed"]

        @jax.jit
        def update(groups, arrays, clips, starts):
            def step(groups, batch):
                trainable, fixed, state = groups
                gradient = jax.value_and_grad(batch_loss, has_aux=True)
                (loss, fixed), gradients = gradient(trainable, fixed, arrays, *batch)
                trainable, state = optimizer.stateless_apply(state, gradients, trainable)
                return (trainable, fixed, state), loss

            return jax.lax.scan(step, groups, (clips, starts))

        @jax.jit
        def measure(trainable, fixed, arrays, clips):
            return self._batch_distances(
                arrays, clips, lambda batch: model.stateless_call(trainable, fixed, batch)[0]
            )

        def values(*groups):
            return tuple([variable.value for variable in group] for group in groups)

        def steps(clips, starts):
            groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
            new, losses = update(values(*groups), self.arrays, clips, starts)
            for group, group_values in zip(groups, new, strict=True):
                for variable, value in zip(group, group_values, strict=True):
                    variable.assign(value)
            return losses

        def distances(clips):
            groups = (model.trainable_variables, model.non_trainable_variables)
            return measure(*values(*groups), self.arrays, clips)

        return steps, distances
