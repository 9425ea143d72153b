// Computes a dataset with Nextflow: a plan process, processes that compute shards, and a finalize process.
//   nextflow run main.nf --inputs /data/logits --output /data/jacobian --tasks 4
// Needs softjac on the PATH of every node, and inputs and output (absolute paths) on a file system that all nodes share.
// Change: the parameters, cpus, and the executor in nextflow.config. To resume, run the same command again.
// Retries: 69 (service unavailable), 74 (I/O error), 75 (stopped, progress saved) and killed processes. Other exit codes
// (bad input, permissions, configuration, ...) end the workflow once running processes have ended.
// Checked: parsed as Groovy 2.4; the tests check its commands and exit codes. Not run by Nextflow.
params.inputs = '/data/logits'
params.output = '/data/jacobian'
params.tasks = 4

process PLAN {
    errorStrategy { task.exitStatus in [64, 65, 66, 70, 73, 77, 78] ? 'finish' : 'retry' }
    maxRetries 4

    output:
    val true

    script:
    """
    exec softjac plan '${params.inputs}' -o '${params.output}'
    """
}

process SHARDS {
    errorStrategy { task.exitStatus in [64, 65, 66, 70, 73, 77, 78] ? 'finish' : 'retry' }
    maxRetries 4
    cpus 2

    input:
    val planned
    each index

    output:
    val index

    // exec: Nextflow sends signals to the process that it started; exec makes that process softjac.
    script:
    """
    exec softjac run-shard -o '${params.output}' --shard-index ${index} --shard-count ${params.tasks} --threads ${task.cpus}
    """
}

process FINALIZE {
    errorStrategy { task.exitStatus in [64, 65, 66, 70, 73, 77, 78] ? 'finish' : 'retry' }
    maxRetries 4

    input:
    val done

    script:
    """
    exec softjac finalize '${params.output}'
    """
}

workflow {
    planned = PLAN()
    done = SHARDS(planned, 0..<(params.tasks as int))
    FINALIZE(done.collect())
}
