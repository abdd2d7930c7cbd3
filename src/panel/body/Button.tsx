import { type ReactNode, useEffect, useRef, useState } from 'react';

interface Props {
  children: ReactNode;
  onClick: () => void;
  disabled?: boolean;
  title?: string;
}

export function Button({ children, onClick, disabled, title }: Props) {
  return (
    <button type='button' className='jp-Torchtwin-button' onClick={onClick} disabled={disabled} title={title}>
      {children}
    </button>
  );
}

const SHOWN_FOR = 2000;

/** A button that says for two seconds what came of it: `Copied`. The work answers what to say, or throws it. */
export function SayingButton({ children, work }: { children: ReactNode; work: () => Promise<string> }) {
  const [said, say] = useState('');
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const show = (text: string) => {
    say(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => say(''), SHOWN_FOR);
  };
  const run = () => work().then(show, (error) => show(error instanceof Error ? error.message : String(error)));
  return (
    <>
      <Button onClick={run}>{children}</Button>
      <span role='status' className='jp-Torchtwin-said'>
        {said}
      </span>
    </>
  );
}
