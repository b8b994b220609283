"""Discovery of estimators, and checks for authors of models."""
