"""Models made by transformers itself, for compare_logits.py: (class, what is special, how it is made)."""
from transformers import (BambaConfig, BambaForCausalLM, FalconH1Config, FalconH1ForCausalLM, GraniteMoeHybridConfig,
                          GraniteMoeHybridForCausalLM, LlamaConfig, LlamaForCausalLM, Mamba2Config, Mamba2ForCausalLM)

COMMON = dict(vocab_size=97, hidden_size=48, tie_word_embeddings=True)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
HEADS = dict(num_attention_heads=4, num_key_value_heads=2)

FOREIGN = [
    ("LlamaForCausalLM", "llama3 scaling",
     lambda: LlamaForCausalLM(LlamaConfig(**COMMON, **HEADS, intermediate_size=40, num_hidden_layers=2, rope_parameters=LLAMA3))),
    ("Mamba2ForCausalLM", "two groups",
     lambda: Mamba2ForCausalLM(Mamba2Config(**COMMON, num_heads=12, head_dim=8, state_size=16, n_groups=2, num_hidden_layers=3, chunk_size=32))),
    ("BambaForCausalLM", "its own half of each head",
     lambda: BambaForCausalLM(BambaConfig(**COMMON, **HEADS, intermediate_size=40, num_hidden_layers=3, attn_layer_indices=[1], mamba_n_heads=12, mamba_d_state=16))),
    ("GraniteMoeHybridForCausalLM", "no positions",
     lambda: GraniteMoeHybridForCausalLM(GraniteMoeHybridConfig(**COMMON, **HEADS, shared_intermediate_size=40, num_hidden_layers=3, num_local_experts=0,
                                                                layer_types=["linear_attention", "full_attention", "linear_attention"],
                                                                mamba_n_heads=12, mamba_d_state=16, attention_multiplier=12**-0.5))),
    ("GraniteMoeHybridForCausalLM", "rope",
     lambda: GraniteMoeHybridForCausalLM(GraniteMoeHybridConfig(**COMMON, **HEADS, shared_intermediate_size=40, num_hidden_layers=2, num_local_experts=0,
                                                                layer_types=["full_attention", "linear_attention"], position_embedding_type="rope",
                                                                mamba_n_heads=12, mamba_d_state=16, attention_multiplier=12**-0.5))),
    ("FalconH1ForCausalLM", "branches added",
     lambda: FalconH1ForCausalLM(FalconH1Config(**COMMON, **HEADS, intermediate_size=40, num_hidden_layers=2, mamba_d_ssm=64, mamba_n_heads=8, mamba_d_state=16))),
    ("FalconH1ForCausalLM", "Mamba subtracted",
     lambda: FalconH1ForCausalLM(FalconH1Config(**COMMON, **HEADS, intermediate_size=40, num_hidden_layers=2, mamba_d_ssm=64, mamba_n_heads=8, mamba_d_state=16,
                                                ssm_out_multiplier=-1.0))),
]
