"""Why a model predicts what it does: attribution, occlusion, counterfactuals, nearest neighbors, arithmetic, PCA."""
