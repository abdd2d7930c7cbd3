import { type FormEvent, type KeyboardEvent, useId } from 'react';
import type { Pause } from '../model/pause';
import { outcomeSentence } from '../model/pauseText';
import { Button } from './Button';
import { EvaluationResult } from './EvaluationResult';

/** A line of Python to be evaluated in the frame. The arrow keys go through what was evaluated before. */
export function ExpressionBox({ pause }: { pause: Pause }) {
  const id = useId();
  const { evaluation, history, isEvaluating } = pause;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void pause.evaluate(history.text);
  };
  const walk = (event: KeyboardEvent) => {
    const way = WAYS[event.key];
    if (!way || event.nativeEvent.isComposing) return;
    event.preventDefault();
    pause.walk(way);
  };
  return (
    <div className='jp-Torchtwin-evaluate'>
      <form onSubmit={submit}>
        <label htmlFor={id}>Evaluate in this frame</label>
        <div className='jp-Torchtwin-prompt'>
          <input
            id={id}
            value={history.text}
            onChange={({ target }) => pause.type(target.value)}
            onKeyDown={walk}
            placeholder='fc.weight.grad'
            autoComplete='off'
            autoCapitalize='off'
            spellCheck={false}
          />
          {isEvaluating ? (
            <Button onClick={() => pause.giveUp()}>Give up</Button>
          ) : (
            <Button onClick={() => void pause.evaluate(history.text)} idle={!history.text.trim()}>
              Evaluate
            </Button>
          )}
        </div>
      </form>
      <p role='status' className='jp-Torchtwin-unseen'>
        {evaluation && outcomeSentence(evaluation.outcome)}
      </p>
      {evaluation && <EvaluationResult evaluation={evaluation} />}
    </div>
  );
}

const WAYS: Record<string, 'back' | 'forth'> = { ArrowUp: 'back', ArrowDown: 'forth' };
