"""From label maps to scores: one confusion matrix over the whole data set, and every number read off it."""

from switchseg.metrics.boundary import boundary_counts, boundary_iou
from switchseg.metrics.confusion import confusion_matrix, confusion_of_classes
from switchseg.metrics.scores import ImageScore, image_score, mean_iou, pixel_accuracy, scores
from switchseg.results import ClassScore, Scores

__all__ = [
    "ClassScore",
    "ImageScore",
    "Scores",
    "boundary_counts",
    "boundary_iou",
    "confusion_matrix",
    "confusion_of_classes",
    "image_score",
    "mean_iou",
    "pixel_accuracy",
    "scores",
]
